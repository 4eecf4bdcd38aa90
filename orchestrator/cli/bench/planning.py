"""``orchestrator bench plan``: what-if questions about a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli.bench.failing import failing_plainly


def plan(
    *,
    from_cluster: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="The cluster: its kubeconfig, or a dump by `kubectl get nodes,pods -A -o json`.",
        ),
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="The kubeconfig's context, if not its current one.")
    ] = None,
    fit: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="How many more of this pod fit: a Pod, or a workload, of whose template it is.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="--fit: how many are tried at most.")] = 100_000,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE", help="What happens if this node goes; give it several times."),
    ] = None,
    nodes_needed: Annotated[
        bool, typer.Option("--nodes-needed", help="How many nodes --load needs.")
    ] = False,
    load: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="--nodes-needed: manifests (.yaml), or a trace."
        ),
    ] = None,
    node_template: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NODE",
            help="--nodes-needed: a Node manifest, or a node of the cluster; the most frequent "
            "kind there if not said.",
        ),
    ] = None,
    max_pending: Annotated[
        float, typer.Option(min=0, help="--nodes-needed: seconds that a trace's pod may wait.")
    ] = 0.0,
    policy: Annotated[
        str, typer.Option(metavar="FILE", help="A KubeSchedulerConfiguration, or `default`.")
    ] = "default",
    seed: Annotated[int, typer.Option(help="The same seed gives the same placements.")] = 1,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything as JSON here; - is the output.")
    ] = None,
) -> None:
    """Ask what a cluster's scheduler would do. Nothing is changed in the cluster.

    One question at a time: --fit, --without or --nodes-needed.
    """
    from orchestrator.bench.planning.asking import Ask, answer
    from orchestrator.bench.progress import progress
    from orchestrator.cli.bench.output import about, note_all, show, write_json

    if (fit is not None) + bool(without) + nodes_needed != 1:
        raise typer.BadParameter("ask one of --fit, --without and --nodes-needed")
    if nodes_needed and load is None:
        raise typer.BadParameter("--nodes-needed wants to know for what: --load")
    if not nodes_needed and from_cluster is None:
        raise typer.BadParameter("which cluster? --from-cluster")
    with failing_plainly():
        with progress() as shown:
            said = answer(
                Ask(
                    cluster=from_cluster,
                    context=context,
                    fit=fit,
                    limit=limit,
                    without=tuple(without or ()),
                    load=load,
                    node_template=node_template,
                    max_pending=max_pending,
                    policy=policy,
                    seed=seed,
                ),
                shown,
            )
        note_all(said.notes)
        to_error = json_file == Path("-")
        typer.secho(said.headline, bold=True, err=to_error)
        if said.table is not None:
            show(said.table, to_error=to_error)
        for line in said.lines:
            typer.echo(line, err=to_error)
        if json_file is not None:
            parts: dict[str, Any] = {"seed": seed, **said.record}
            write_json(about(**parts), json_file)
    raise typer.Exit(said.code)
