"""The page with the toggle."""
