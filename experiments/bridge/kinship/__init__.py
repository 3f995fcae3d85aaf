"""Is the representation the same kind of thing? Families by architectures, each with a verdict."""
