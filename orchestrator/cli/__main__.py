"""``python -m orchestrator.cli`` is the ``orchestrator`` command."""

from orchestrator.cli import main

main()
