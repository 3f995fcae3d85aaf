"""Two targets times three kinds of feedback."""
