"""Streams: a collector that keeps what a broker sends, and a loader that turns it into micro-batches in Delta."""
