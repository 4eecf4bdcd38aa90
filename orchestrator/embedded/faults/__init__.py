"""What can be made to go wrong between a cluster and its clients."""
