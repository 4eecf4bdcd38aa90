"""Workloads in the vocabulary of Kubernetes' scheduler_perf: read, run, checked and measured."""
