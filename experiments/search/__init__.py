"""Finding settings."""
