"""What-if questions about a cluster: what fits, what if nodes go, how many nodes it takes."""
