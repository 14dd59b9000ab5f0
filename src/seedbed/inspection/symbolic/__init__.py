"""Where a chain of steps first goes wrong, found by recomputing it; no model is asked."""
