"""The command line: ``orchestrator up``, ``orchestrator demo``, ``orchestrator version``."""

from __future__ import annotations

import sys

from orchestrator.cli.collector import spare_start


def main() -> None:
    """Run the command line; the console script's entry point."""
    if sys.argv[1:2] == ["up"]:
        spare_start()
        from orchestrator.cli.options import read_plainly

        options = read_plainly(sys.argv[2:])
        if options is not None:
            from orchestrator.cli.up import run_up

            sys.exit(run_up(options))
    from orchestrator.cli.app import app

    app()


__all__ = ["main"]
