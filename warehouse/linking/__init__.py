"""Says which records of the registers are one person: computation beside dbt, whose result models read as a source.

Direct identifiers are opened from the vault inside this package alone, live in one DuckDB in memory (what it spills is
encrypted), and are never written: what leaves are keys of persons (``platform.person_links`` and its fellows).

    records    register rows, opened and brought to one shape
    identity   who is one person by a valid resident ID, and which IDs are evidence of nobody
    blocking   which other pairs are worth comparing
    scoring    how alike a pair is (Splink)
    clusters   persons out of pairs, with what a person decided
    changes    what came, went, or says something new since the last run
    index      how everybody stood, as whole numbers in memory
    scope      whom the changes may concern
    keys       stable keys of persons, and redirects for those that were merged or split
    write      the rows that are not as they were
    run        the whole, in full or for what changed
    beside     the same in a process of its own
"""
