"""`orchestrator demo`: a cluster shown at work in under a minute."""
