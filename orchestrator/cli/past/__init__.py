"""``orchestrator replay``, ``history`` and ``diff``: event logs for those who look back."""
