"""Same deck, different memory."""
