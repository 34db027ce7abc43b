"""What is kept and handed out: Delta tables, engines, access decisions, SQL, sharing, audit."""

import os

# A write that waits for the gate's verdict keeps one of deltalake's worker threads, of which there is one a core by
# default: two waiting writes (feed and vault) must leave workers for the commits that end the wait.
os.environ.setdefault("TOKIO_WORKER_THREADS", str(max(4, os.cpu_count() or 1)))
