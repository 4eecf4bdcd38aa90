"""Whether somebody holds all the rights that some rules give: nobody may grant more than that.

Rules: k8s.io/component-helpers/auth/rbac/validation and k8s.io/kubernetes/pkg/registry/rbac.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from orchestrator.resources.rbac.rules import Rule, url_matches

_FIELDS: Final = (
    ("APIGroups", "apiGroups"),
    ("Resources", "resources"),
    ("NonResourceURLs", "nonResourceURLs"),
    ("ResourceNames", "resourceNames"),
    ("Verbs", "verbs"),
)


def missing_rights(held: Sequence[Rule], granted: Iterable[Rule]) -> list[Rule]:
    """Return what of ``granted`` no rule in ``held`` covers, one verb on one thing at a time."""
    return [
        part
        for rule in granted
        for part in _parts(rule)
        if not any(_covers(owned, part) for owned in held)
    ]


def _parts(rule: Rule) -> Iterator[Rule]:
    names = rule.get("resourceNames") or ()
    verbs = rule.get("verbs") or ()
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in verbs:
                part = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
                if not names:
                    yield part
                for name in names:
                    yield {**part, "resourceNames": [name]}
    for url in rule.get("nonResourceURLs") or ():
        for verb in verbs:
            yield {"verbs": [verb], "nonResourceURLs": [url]}


def _covers(owned: Rule, part: Rule) -> bool:
    verbs = owned.get("verbs") or ()
    if "*" not in verbs and part["verbs"][0] not in verbs:
        return False
    if urls := part.get("nonResourceURLs"):
        return any(url_matches(url, urls[0]) for url in owned.get("nonResourceURLs") or ())
    groups = owned.get("apiGroups") or ()
    if "*" not in groups and part["apiGroups"][0] not in groups:
        return False
    resource = part["resources"][0]
    resources = owned.get("resources") or ()
    if "*" not in resources and resource not in resources:
        _, slash, below = resource.partition("/")
        if not slash or f"*/{below}" not in resources:
            return False
    names = owned.get("resourceNames")
    return not names or (part.get("resourceNames") or [None])[0] in names


def rights_text(missing: Iterable[Rule]) -> str:
    """Write rights down as upstream does: verbs on one thing together, one rule a line, sorted."""
    simple: dict[tuple[str, ...], Rule] = {}
    lines: set[str] = set()
    for rule in missing:
        if "resources" not in rule:
            lines.add(_text(rule))
            continue
        key = (rule["apiGroups"][0], rule["resources"][0], *rule.get("resourceNames", ()))
        seen = simple.get(key)
        if seen is None:
            simple[key] = rule
        elif rule["verbs"][0] not in seen["verbs"]:
            simple[key] = {**seen, "verbs": [*seen["verbs"], *rule["verbs"]]}
    lines.update(map(_text, simple.values()))
    return "\n".join(sorted(lines))


def _text(rule: Rule) -> str:
    parts = [f"{title}:{quoted(rule[field])}" for title, field in _FIELDS if rule.get(field)]
    return "{" + ", ".join(parts) + "}"


def quoted(texts: Iterable[str]) -> str:
    """Write a list of texts as Go's ``%q`` does: ``["a" "b"]``."""
    return "[" + " ".join(f'"{text}"' for text in texts) + "]"
