"""Conversations with pods: ``exec``, ``attach`` and ``port-forward``."""
