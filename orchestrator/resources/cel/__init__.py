"""CEL, the Common Expression Language, as Kubernetes uses it. Pure: text and values to values."""
