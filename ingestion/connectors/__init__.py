"""One module a connector, named as contracts name it; each has a ``CONNECTOR`` (see ``ingestion.sources.base``)."""
