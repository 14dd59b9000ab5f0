"""Statements about defect rates that hold with a stated probability; one file for each way to make them."""
