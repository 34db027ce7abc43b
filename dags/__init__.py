"""When it happens: thin Airflow DAGs, generated from the compiled index of contracts."""
