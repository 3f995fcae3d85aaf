"""The cost of bandit feedback."""
