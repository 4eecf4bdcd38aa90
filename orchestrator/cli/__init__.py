"""The command line: ``orchestrator up``, ``orchestrator demo``, ``orchestrator version``."""

from __future__ import annotations


def main() -> None:
    """Run the command line; the console script's entry point."""
    from orchestrator.cli.app import app

    app()


__all__ = ["main"]
