"""What is kept and handed out: Delta tables, engines, access decisions, SQL, sharing, audit."""
