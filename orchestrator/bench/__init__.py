"""The benchmark harness: measured workloads, replayed traces, questions about a real cluster."""
