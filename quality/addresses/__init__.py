"""Addresses: their writing (``text``, ``parse``, ``areas``), what is known (``book``), which is meant (``match``)."""
