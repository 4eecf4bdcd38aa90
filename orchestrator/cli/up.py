"""`orchestrator up`: one cluster in the foreground until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import signal
import time

from orchestrator.cli.logs import configure_logs
from orchestrator.cli.options import UpOptions
from orchestrator.cli.streams import say


def run_up(options: UpOptions) -> int:
    """Run the cluster; return the exit code: 0 after a clean stop, 1 when it can't start."""
    import uvloop

    from actors import SystemFailed
    from orchestrator.cluster import ClusterError

    try:
        configure_logs(options.log_level, as_json=options.log_json)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(options))
    except OSError as error:
        hint = " (--port)" if error.errno == errno.EADDRINUSE else ""
        where = f"{error.filename}: " if error.filename else ""
        say(f"orchestrator up: {where}{error.strerror or error}{hint}", error=True)
        return 1
    except SystemFailed as error:
        cause = error.__cause__
        say(
            f"orchestrator up: the cluster cannot go on: {type(cause).__name__}: {cause}; "
            "its log is whole and its containers run on: start it again with the same --data-dir",
            error=True,
        )
        return 1
    except (ClusterError, ValueError) as error:
        say(f"orchestrator up: {error}", error=True)
        return 1
    return 0


async def _serve(options: UpOptions) -> None:
    from orchestrator.api.serving import ServedCluster, ServingConfig
    from orchestrator.cli.collector import tune_collector
    from orchestrator.cli.switching import hasten_switches
    from orchestrator.cluster import BareCluster, ClusterConfig

    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves SIGHUP
            loop.add_signal_handler(number, stop.set)
    cluster = BareCluster(
        ClusterConfig(
            nodes=options.nodes,
            data_dir=options.data_dir,
            runtime=options.runtime,
            kubernetes_version=options.kubernetes_version,
            scheduler=options.scheduler_config,
            metrics=not options.no_metrics,
        )
    )
    endpoint = ServedCluster(
        cluster,
        ServingConfig(
            host=options.host,
            port=options.port,
            insecure_http=options.insecure_http,
            authorization_mode=options.authorization_mode,
            kubeconfig=options.kubeconfig,
            log_requests=options.log_level == "debug",
        ),
    )
    clean = False
    try:
        await endpoint.start()
        _raise_file_limit()
        collector = tune_collector()
        hasten_switches()
        say(_ready_text(options, endpoint.url, time.perf_counter() - began))
        await stop.wait()
        collector.stop()
        clean = True
        say("orchestrator: stopping")
    finally:
        await endpoint.stop(clean=clean)
    say("orchestrator: stopped")


def _raise_file_limit() -> None:
    """Allow as many connections as the system does: the usual 1024 files are soon in use.

    Not before the start: the process supervisor, and so the containers, keep the usual limit.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _ready_text(options: UpOptions, url: str, seconds: float) -> str:
    nodes = "1 node" if options.nodes == 1 else f"{options.nodes} nodes"
    lines = [f"orchestrator: ready in {seconds:.2f} s, {nodes}, {url}"]
    if options.data_dir is None:
        lines.append("  nothing is kept: without --data-dir the cluster ends with this process")
    if options.kubeconfig is not None:
        lines.append(f"  export KUBECONFIG={options.kubeconfig}")
    lines.append("  Ctrl-C stops it")
    return "\n".join(lines)
