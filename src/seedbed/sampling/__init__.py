"""Which teacher to buy how many samples from, for which problems: coverage, diversity, cost, forecasts, allocation."""
