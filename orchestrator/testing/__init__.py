"""A pytest plugin: clusters as fixtures."""
