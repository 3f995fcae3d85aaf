"""Named settings: presets, published ones, and those found by search."""
