"""``orchestrator replay``: the state at a version, as kubectl would show it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import typer

from orchestrator.bench.tables import Table
from orchestrator.cli.past.reading import load, run, show, write_json
from orchestrator.embedded.kinds.names import find_kind
from orchestrator.embedded.travel.past import Past
from orchestrator.resources.kinds import Kind, registry
from orchestrator.resources.objects import Object, namespace_of
from orchestrator.resources.printing import table

_BY_ITSELF: Final = frozenset(
    {
        "apiservices.apiregistration.k8s.io",
        "clusterrolebindings.rbac.authorization.k8s.io",
        "clusterroles.rbac.authorization.k8s.io",
        "componentstatuses",
        "controllerrevisions.apps",
        "endpoints",
        "endpointslices.discovery.k8s.io",
        "events",
        "flowschemas.flowcontrol.apiserver.k8s.io",
        "ipaddresses.networking.k8s.io",
        "leases.coordination.k8s.io",
        "priorityclasses.scheduling.k8s.io",
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
        "rolebindings.rbac.authorization.k8s.io",
        "roles.rbac.authorization.k8s.io",
        "serviceaccounts",
        "servicecidrs.networking.k8s.io",
    }
)
"""Resources that a cluster is full of by itself: shown only when they are asked for."""


def run_replay(
    path: Path, kinds: Sequence[str], *, until: int | None, namespace: str | None, output: str
) -> int:
    """Print the state; return the exit code."""

    def body() -> None:
        history = load(path)
        past = Past(history, registry(), history.last if until is None else until)
        chosen = _chosen(past, kinds)
        objects = [(kind, _objects(past, kind, namespace)) for kind in chosen]
        if output in ("json", "yaml"):
            _print_list([obj for _, found in objects for obj in found], output)
            return
        now = past.time.timestamp() if past.time is not None else 0.0
        tables = [
            _table(kind, found, now, wide=output == "wide", where=namespace is None)
            for kind, found in objects
            if found
        ]
        for number, made in enumerate(tables):
            if number:
                typer.echo("")
            show(made)
        if not tables:
            typer.echo(f"no objects at version {past.version}", err=True)

    return run("replay", body)


def _chosen(past: Past, words: Sequence[str]) -> list[Kind]:
    """Return the kinds that were asked for; ``all`` is every one that had objects."""
    names = [name for word in words for name in word.split(",") if name]
    if names and names != ["all"]:
        return [find_kind(past.registry, name) for name in names]
    there = [name for name in past.resources() if names or name not in _BY_ITSELF]
    return [kind for name in there if (kind := _kind(past, name)) is not None]


def _kind(past: Past, resource: str) -> Kind | None:
    """Return a resource's kind; None for what is left of one whose definition is gone."""
    try:
        return past.registry.by_key(resource)
    except KeyError:
        return None


def _objects(past: Past, kind: Kind, namespace: str | None) -> list[Object]:
    if namespace is not None and not kind.namespaced:
        return []
    return past.of_kind(kind, namespace)


def _print_list(objects: list[Object], output: str) -> None:
    listed: dict[str, Any] = {"apiVersion": "v1", "kind": "List", "items": objects}
    if output == "json":
        write_json(listed)
        return
    import yaml

    typer.echo(yaml.safe_dump(listed, sort_keys=False, allow_unicode=True), nl=False)


def _table(kind: Kind, objects: list[Object], now: float, *, wide: bool, where: bool) -> Table:
    made = table(kind, objects, now=now, include_object="None")
    kept = [wide or not column["priority"] for column in made["columnDefinitions"]]
    names = list(itertools.compress((column["name"] for column in made["columnDefinitions"]), kept))
    where = where and kind.namespaced
    heading = [*(["NAMESPACE"] if where else []), *(name.upper() for name in names)]
    shown = Table(heading, range(len(heading)))
    singular = kind.singular or kind.kind.lower()
    prefix = f"{singular}.{kind.group}/" if kind.group else f"{singular}/"
    for row, obj in zip(made["rows"], objects, strict=True):
        cells = [
            "" if cell is None else str(cell) for cell in itertools.compress(row["cells"], kept)
        ]
        cells[0] = f"{prefix}{cells[0]}"
        shown.add(*([namespace_of(obj)] if where else []), *cells)
    return shown
