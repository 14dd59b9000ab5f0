"""Making rows: requests out, rows in. Nothing here talks to a model."""
