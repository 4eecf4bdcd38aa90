"""A Kubernetes-API-compatible orchestrator in pure Python."""
