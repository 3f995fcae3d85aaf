"""The price of bandit feedback."""
