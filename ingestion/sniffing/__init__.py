"""How a sample file is understood: rows, column types, meaning, keys, names."""
