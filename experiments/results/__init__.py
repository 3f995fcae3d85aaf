"""Where results live, and how they are read back."""
