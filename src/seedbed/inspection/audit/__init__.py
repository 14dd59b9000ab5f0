"""Which rows a human reads next, what was read so far, and what follows from it without bias."""
