"""The legal-entity library outside SQL: names made comparable, and names without a code matched to a code."""
