"""What all connectors stand on: the pull, its state, secrets, listings, retries, databases."""
