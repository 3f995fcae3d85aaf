"""Training one cell: its network, its compiled program, its settings."""
