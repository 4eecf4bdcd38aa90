"""What a test asks for: its markers over the command line over the configuration file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

if TYPE_CHECKING:
    from orchestrator import Cluster, SyncCluster
    from orchestrator.embedded.kinds.manifests import Source

ALIVE: Final[pytest.StashKey[list[Cluster | SyncCluster]]] = pytest.StashKey()
"""The clusters of a test, or of the session, that reports are about."""
MARKER: Final = "cluster"
_OWN: Final = ("version", "versions", "apply", "faults")
"""What the marker takes beside the arguments of `Cluster`."""


class Settings(NamedTuple):
    """One test's cluster.

    Attributes:
        arguments: For `Cluster`.
        apply: What is applied before the test begins.
        faults: Arguments of ``cluster.faults.api``, for faults in force during the test.
    """

    arguments: Mapping[str, Any]
    apply: Sequence[Source] = ()
    faults: Sequence[Mapping[str, Any]] = ()

    def cluster(self) -> Cluster:
        """Make the cluster.

        Raises:
            Failed: It has no such argument.
            ClusterError: The arguments contradict each other.
        """
        import difflib
        import inspect

        from orchestrator import Cluster

        known = list(inspect.signature(Cluster).parameters)
        for name in self.arguments:
            if name not in known:
                near = difflib.get_close_matches(name, [*known, *_OWN], 1)
                hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
                pytest.fail(f"pytest.mark.cluster has no argument {name!r}: {hint}", pytrace=False)
        return Cluster(**self.arguments)


def add_options(parser: pytest.Parser) -> None:
    """Say which options there are; each may stand in the configuration file too."""
    group = parser.getgroup("orchestrator", "clusters inside tests (orchestrator)")
    told: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("version", "Kubernetes version of tests' clusters, such as 1.33", {}),
        ("nodes", "nodes of tests' clusters", {"type": int}),
        ("seed", "seed of tests' clusters: repeats a run's names, uids and choices", {"type": int}),
    )
    for name, text, kind in told:
        group.addoption(f"--cluster-{name}", dest=f"cluster_{name}", help=text, **kind)
        parser.addini(f"cluster_{name}", text)
    text = "let time pass by itself in tests' clusters; without it the tests move it"
    group.addoption(
        "--cluster-real-time",
        dest="cluster_real_time",
        action="store_true",
        default=None,
        help=text,
    )
    parser.addini("cluster_real_time", text, type="bool", default=False)


def option(config: pytest.Config, name: str) -> Any:
    """Return an option's value, from the command line or the configuration file; None if unset."""
    given = config.getoption(f"cluster_{name}")
    if given is None:
        given = config.getini(f"cluster_{name}")
    return None if given in ("", False) else given


def marked(node: pytest.Item | None) -> dict[str, Any]:
    """Return what a test's markers say, the nearest last."""
    asked: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers(MARKER)) if node is not None else []):
        if mark.args:
            pytest.fail(
                f"pytest.mark.cluster takes names with its values, not {mark.args[0]!r} alone: "
                "write nodes=3, version='1.33'",
                pytrace=False,
            )
        asked |= mark.kwargs
    return asked


def versions_of(node: pytest.Item | None) -> list[str]:
    """Return the versions that a test wants to run with; [] unless it says ``versions``."""
    marks = node.iter_markers(MARKER) if node is not None else ()
    given = next((mark.kwargs["versions"] for mark in marks if "versions" in mark.kwargs), ())
    return [given] if isinstance(given, str) else [str(version) for version in given]


def settings_of(
    config: pytest.Config, node: pytest.Item | None, version: str | None, seed: int
) -> Settings:
    """Return a test's settings.

    Args:
        config: The command line and the configuration file.
        node: The test; None for what tests share, which no marker is about.
        version: Its Kubernetes version, None for the newest.
        seed: Where nobody gives one.
    """
    asked = marked(node)
    apply, faults = asked.pop("apply", ()), asked.pop("faults", ())
    for name in ("version", "versions"):
        asked.pop(name, None)
    given, nodes = option(config, "seed"), option(config, "nodes")
    arguments: dict[str, Any] = {"seed": seed if given is None else int(given)}
    if nodes is not None:
        arguments["nodes"] = int(nodes)
    if option(config, "real_time"):
        arguments["time"] = "real"
    if version is not None:
        arguments["kubernetes_version"] = version
    directory = node.path.parent if node is not None else Path()
    return Settings(
        arguments=arguments | asked,
        apply=[_found(source, directory) for source in _listed(apply)],
        faults=_listed(faults),
    )


def settings_beside(node: pytest.Item) -> Settings:
    """Return what a test's markers ask of a cluster that it shares with others."""
    asked = marked(node)
    apply, faults = asked.pop("apply", ()), asked.pop("faults", ())
    if asked:
        pytest.fail(
            f"pytest.mark.cluster({', '.join(asked)}=...) is about a cluster of the test's own; of "
            "a shared one a test may ask for apply and faults only: ask for cluster or "
            "sync_cluster, or return what all share from a fixture shared_cluster_arguments",
            pytrace=False,
        )
    directory = node.path.parent
    return Settings(
        arguments={},
        apply=[_found(source, directory) for source in _listed(apply)],
        faults=_listed(faults),
    )


def _listed(given: Any) -> list[Any]:
    if isinstance(given, str | Mapping | Path) or not isinstance(given, Iterable):
        return [given]
    return list(given)


def _found(source: Any, directory: Path) -> Any:
    """Return a path as it is from the test's own directory, if there is something there."""
    is_path = isinstance(source, Path) or (isinstance(source, str) and "\n" not in source)
    if is_path and (directory / source).exists():
        return directory / source
    return source
