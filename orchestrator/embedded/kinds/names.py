"""Kinds and objects by the names that people give them, as kubectl understands them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from orchestrator.embedded.guessing import nearest
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import Kind, KindRegistry


class Reference(NamedTuple):
    """An object, or all objects of a kind.

    Attributes:
        kind: Which kind.
        name: Whose; empty for all.
    """

    kind: Kind
    name: str


def find_kind(registry: KindRegistry, text: str) -> Kind:
    """Return the kind that a text names: ``po``, ``pods``, ``Pod``, ``deployments.v1.apps``.

    Raises:
        StatusError: 404, in kubectl's words; a name that is nearly the same is suggested.
        TypeError: It is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"name a kind as text, 'pods', not {text!r}")
    wanted = text.strip()
    lower = wanted.lower()
    plural, _, rest = lower.partition(".")
    kinds = registry.kinds()
    for kind in kinds:
        if lower in (kind.plural, kind.singular, *kind.short_names) or wanted == kind.kind:
            return kind
    for kind in kinds:
        if plural not in (kind.plural, kind.singular, kind.kind.lower(), *kind.short_names):
            continue
        if rest in (kind.group, f"{kind.version}.{kind.group}", kind.version):
            return kind
    for kind in kinds:
        if lower == kind.kind.lower():
            return kind
    message = f'the server doesn\'t have a resource type "{text}"{_did_you_mean(wanted, kinds)}'
    raise StatusError(404, "NotFound", message)


def _did_you_mean(wanted: str, kinds: Iterable[Kind]) -> str:
    names = sorted({name for kind in kinds for name in (kind.plural, kind.singular, kind.kind)})
    near = nearest(wanted, names) or nearest(wanted.lower(), names)
    return f": did you mean {near}?" if near else ""


def check_subresource(kind: Kind, part: str) -> None:
    """Refuse a subresource that a kind does not have.

    Raises:
        ValueError: It has none of that name.
    """
    if not part or part == "*" or part in kind.subresources:
        return
    near = nearest(part, kind.subresources)
    there = ", ".join(kind.subresources) or "none"
    hint = f"did you mean {near}?" if near else f"there are {there}"
    raise ValueError(f"{kind.plural} have no subresource {part!r}: {hint}")


def nearly(registry: KindRegistry, version: str, kind: str) -> str:
    """Return what to add to the refusal of a kind that is not in a version: what was meant."""
    versions = [each.api_version for each in registry.kinds() if each.kind == kind]
    if versions:
        return f": it is in {', '.join(dict.fromkeys(versions))}"
    known = registry.kinds()
    same = {each.kind for each in known if each.kind.lower() == kind.lower()}
    names = same or {each.kind for each in known if each.api_version == version}
    near = nearest(kind, sorted(names), 0.4 if same else 0.6)
    if near is None:
        return ""
    there = next(each for each in known if each.kind == near)
    return f": did you mean {there.kind} in {there.api_version}?"


def find_reference(registry: KindRegistry, text: str) -> Reference:
    """Read ``deployment/web``, or ``pods`` for all of them.

    Raises:
        StatusError: 404, there is no such kind.
        TypeError: It is no text.
        ValueError: It is neither.
    """
    if not isinstance(text, str):
        raise TypeError(f"name an object as text, 'deployment/web', not {text!r}")
    kind, slash, name = text.partition("/")
    if not kind or (slash and not name) or "/" in name:
        raise ValueError(
            f"cannot read {text!r}: name an object as 'deployment/web', or a kind as 'pods'; the "
            "namespace is an argument of its own"
        )
    return Reference(find_kind(registry, kind), name)


def path_of_version(kind: Kind) -> str:
    """Return the path of a kind's API version."""
    return f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"


def path_of(kind: Kind, namespace: str | None, name: str = "", *parts: str) -> str:
    """Return the path of an object, of a kind's objects or of a subresource.

    Args:
        kind: The kind.
        namespace: Where; None or empty for all namespaces, ignored for kinds without.
        name: Of one object.
        *parts: Subresources.
    """
    root = path_of_version(kind)
    pieces: Iterable[str] = (kind.plural, *((name, *parts) if name else ()))
    if kind.namespaced and namespace:
        pieces = ("namespaces", namespace, *pieces)
    return "/".join((root, *pieces))
