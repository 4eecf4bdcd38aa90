"""``orchestrator explain-scheduling``: why a pod is where it is, or nowhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer


def run_explain(
    pod: str,
    *,
    namespace: str,
    kubeconfig: Path | None,
    context: str | None,
    scheduler_config: Path | None,
    as_json: bool,
) -> int:
    """Print the explanation; return the exit code: 0, or 2 where a user has something to mend."""
    from orchestrator.bench.failures import UserError
    from orchestrator.bench.planning.explaining import explain_pod, headline_of, tables_of
    from orchestrator.bench.planning.sources import read_cluster
    from orchestrator.bench.progress import progress
    from orchestrator.cli.bench.output import note_all, write_json
    from orchestrator.scheduler.configuration import DEFAULT_CONFIGURATION, ConfigurationError
    from orchestrator.scheduler.configuration.files import load_configuration
    from orchestrator.scheduler.extending.registry import PluginError, find_plugins, registry_of

    try:
        plugins = find_plugins()
        configuration = DEFAULT_CONFIGURATION
        if scheduler_config is not None:
            configuration = load_configuration(scheduler_config, registry_of(plugins))
        with progress() as shown:
            observed = read_cluster(kubeconfig or _default_kubeconfig(), shown, context)
        explained = explain_pod(observed, namespace, pod, configuration, plugins)
    except (UserError, ConfigurationError, PluginError) as error:
        typer.echo(f"orchestrator explain-scheduling: {error}", err=True)
        return 2
    note_all(explained.notes)
    if as_json:
        write_json(explained.as_json(), Path("-"))
        return 0
    typer.secho(headline_of(explained), bold=True)
    for table in tables_of(explained.explanation):
        typer.echo("")
        coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        typer.echo(table.text(coloured=coloured))
    return 0


def _default_kubeconfig() -> Path:
    """Return the file that kubectl would take; the first one that is there where it names several.

    Raises:
        UserError: There is none.
    """
    from orchestrator.bench.failures import UserError

    named = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    places = [Path(part) for part in named] or [Path.home() / ".kube" / "config"]
    for place in places:
        if place.exists():
            return place
    raise UserError(f"no kubeconfig at {', '.join(map(str, places))}: give one (--kubeconfig)")
