"""How good a student is and how far to believe it: metrics, slices, leaks, distribution shift, the gold splits."""
