"""Memory models, PPO, and the other ways to train them."""
