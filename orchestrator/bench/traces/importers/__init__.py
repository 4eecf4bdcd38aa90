"""Published traces, read as records: one module for each format."""
