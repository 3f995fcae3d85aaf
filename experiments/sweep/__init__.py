"""Many cells: run, estimated, launched."""
