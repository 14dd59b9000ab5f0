"""Which rows are bad: evidence into probabilities, repairs, and a certified defect rate."""
