"""Travel through a cluster's versions: read, compare, fork, put back."""
