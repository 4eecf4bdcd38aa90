"""Commands and their options. What a command does stands in a module of its own."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.bench.app import bench
from orchestrator.cli.options import DEFAULTS, NODES_MAX, PORT_MAX, UpOptions

app = typer.Typer(
    help="A Kubernetes-API-compatible orchestrator in pure Python.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(bench, name="bench")


class RuntimeName(enum.StrEnum):
    """What runs the containers of the nodes that `up` starts."""

    process = "process"
    simulated = "simulated"


class AuthorizationMode(enum.StrEnum):
    """How requests of users other than the administrator are decided."""

    RBAC = "RBAC"
    AlwaysAllow = "AlwaysAllow"


@app.command()
def up(
    *,
    nodes: Annotated[
        int, typer.Option(min=0, max=NODES_MAX, help="How many nodes.")
    ] = DEFAULTS.nodes,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where the cluster keeps its state. Without it, all ends with the run."),
    ] = DEFAULTS.data_dir,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Write a kubeconfig for this cluster here.")
    ] = DEFAULTS.kubeconfig,
    host: Annotated[str, typer.Option(help="Address the API server listens on.")] = DEFAULTS.host,
    port: Annotated[
        int, typer.Option(min=0, max=PORT_MAX, help="Port of the API server; 0 takes a free one.")
    ] = DEFAULTS.port,
    insecure_http: Annotated[
        bool,
        typer.Option("--insecure-http", help="Plain HTTP, no token; on a loopback address only."),
    ] = DEFAULTS.insecure_http,
    authorization_mode: Annotated[
        AuthorizationMode, typer.Option(help="Decide by roles and bindings, or allow everything.")
    ] = AuthorizationMode(DEFAULTS.authorization_mode),
    runtime: Annotated[
        RuntimeName, typer.Option(help="Real processes, or pods that only pretend to run.")
    ] = RuntimeName(DEFAULTS.runtime),
    kubernetes_version: Annotated[
        str, typer.Option(help="The Kubernetes version to serve, such as 1.35.")
    ] = DEFAULTS.kubernetes_version,
    scheduler_config: Annotated[
        Path | None, typer.Option(help="The scheduler's KubeSchedulerConfiguration, YAML.")
    ] = DEFAULTS.scheduler_config,
    no_metrics: Annotated[
        bool,
        typer.Option("--no-metrics", help="Leave metrics.k8s.io to a metrics-server of your own."),
    ] = DEFAULTS.no_metrics,
    log_level: Annotated[
        str, typer.Option(help="debug, info, warning or error.")
    ] = DEFAULTS.log_level,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="One JSON object a line instead of text.")
    ] = DEFAULTS.log_json,
) -> None:
    """Start a cluster in the foreground; Ctrl-C or SIGTERM stops it cleanly."""
    from orchestrator.cli.up import run_up

    raise typer.Exit(
        run_up(
            UpOptions(
                nodes=nodes,
                data_dir=data_dir,
                kubeconfig=kubeconfig,
                host=host,
                port=port,
                insecure_http=insecure_http,
                authorization_mode=authorization_mode.value,
                runtime=runtime.value,
                kubernetes_version=kubernetes_version,
                scheduler_config=scheduler_config,
                no_metrics=no_metrics,
                log_level=log_level,
                log_json=log_json,
            )
        )
    )


@app.command()
def demo(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the cluster up at the end, until Ctrl-C.")
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON object, nothing else.")
    ] = False,
) -> None:
    """Show a three-node cluster at work: serve, scale, update, roll back, lose a node."""
    from orchestrator.cli.demo.story import run_demo

    raise typer.Exit(run_demo(keep=keep, json_output=json_output))


@app.command("explain-scheduling")
def explain_scheduling(
    *,
    pod: Annotated[str, typer.Argument(help="The pod's name; it may wait or run.")],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="The pod's namespace.")
    ] = "default",
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            help="The cluster: its kubeconfig, or a dump by `kubectl get nodes,pods -A -o json`. "
            "Without it $KUBECONFIG or ~/.kube/config."
        ),
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="The kubeconfig's context, if not its current one.")
    ] = None,
    scheduler_config: Annotated[
        Path | None,
        typer.Option(help="The scheduler's KubeSchedulerConfiguration, if it has one."),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")] = False,
) -> None:
    """Show every node's verdict and every plugin's score for a pod. Nothing is changed."""
    from orchestrator.cli.explaining import run_explain

    raise typer.Exit(
        run_explain(
            pod,
            namespace=namespace,
            kubeconfig=kubeconfig,
            context=context,
            scheduler_config=scheduler_config,
            as_json=json_output,
        )
    )


_LOG = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="An event log, or a data directory; a daemon that runs in it is not disturbed.",
    ),
]


class Output(enum.StrEnum):
    """How objects are printed."""

    table = "table"
    wide = "wide"
    yaml = "yaml"
    json = "json"


@app.command()
def replay(
    *,
    file: _LOG,
    kinds: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KIND]...",
            help="Only these, by any name (po,deploy); `all` for those too that a cluster is full "
            "of by itself.",
        ),
    ] = None,
    until: Annotated[
        int | None, typer.Option(min=0, metavar="SEQ", help="At this version, not at the last one.")
    ] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="Only there.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How.")] = Output.table,
    json_output: Annotated[bool, typer.Option("--json", help="The same as -o json.")] = False,
) -> None:
    """Show the objects that an event log comes to, at its end or at any version before."""
    from orchestrator.cli.past.replay import run_replay

    how = "json" if json_output else output.value
    raise typer.Exit(run_replay(file, kinds or (), until=until, namespace=namespace, output=how))


@app.command()
def history(
    *,
    file: _LOG,
    target: Annotated[str, typer.Argument(metavar="KIND/NAME", help="Such as deployment/web.")],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="The object's namespace.")
    ] = "default",
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")] = False,
) -> None:
    """Tell what became of an object: each revision, when, by whom, and the fields that changed."""
    from orchestrator.cli.past.history import run_history

    raise typer.Exit(run_history(file, target, namespace=namespace, as_json=json_output))


@app.command()
def diff(
    *,
    file: _LOG,
    before: Annotated[int, typer.Argument(metavar="SEQ", min=0, help="The one version.")],
    after: Annotated[int, typer.Argument(metavar="SEQ", min=0, help="The other one.")],
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")] = False,
) -> None:
    """Compare two versions: objects that were added, removed and changed, field by field."""
    from orchestrator.cli.past.diff import run_diff

    raise typer.Exit(run_diff(file, before, after, as_json=json_output))


@app.command()
def version() -> None:
    """Print the version of the program and of the Kubernetes API it serves."""
    typer.echo(_version_text())


def _version_text() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        program = installed("orchestrator")
    except PackageNotFoundError:
        program = "(not installed: run from its source)"
    return f"orchestrator {program}, Kubernetes API v{DEFAULTS.kubernetes_version}.0"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(_version_text())
        raise typer.Exit


@app.callback()
def options_of_all(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """A Kubernetes-API-compatible orchestrator in pure Python."""
