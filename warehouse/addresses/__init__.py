"""The address library of the lake: read for matching, and as functions in SQL."""
