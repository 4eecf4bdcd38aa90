"""Annotations of pods that simulated nodes read."""

PREFIX = "simulation.orchestrator/"
"""Annotations under it script a pod's main containers; with a container's name before the word
(``NAME.exit-code``) that container, which may be any. `orchestrator.node.scripts` reads them."""
