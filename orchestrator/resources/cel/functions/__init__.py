"""Functions that expressions can call, one library in each module."""
