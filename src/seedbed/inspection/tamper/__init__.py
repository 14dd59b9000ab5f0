"""Known defects, planted to measure who would have found them; one file for each kind of row."""
