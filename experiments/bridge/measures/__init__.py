"""Pure functions of states and histories."""
