"""What many voters together say about each row; one file for each model."""
