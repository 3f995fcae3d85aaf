"""Opening and closing the loop."""
