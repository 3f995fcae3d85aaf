"""How fast it is, and what it can learn."""
