"""Commands by subject; bodies import lazily."""
