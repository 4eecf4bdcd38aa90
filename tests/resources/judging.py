"""What a kind's rules say of a write: every complaint as text, in order."""

from __future__ import annotations

from typing import Any

from orchestrator.resources import names
from orchestrator.resources.kinds import Kind, registry
from orchestrator.resources.strategies import strategy_of

Object = dict[str, Any]

_FORMS = {
    "<subdomain>": names.dns_subdomain("A")[0],
    "<label>": names.dns_label("A")[0],
    "<label-1035>": names.dns_label_1035("A")[0],
    "<qualified>": names.qualified_name("a/_")[0].removeprefix("name part "),
    "<label-value>": names.label_value("_")[0],
}


def kind_of(obj: Object, version: str = "1.35") -> Kind:
    """Return the kind that an object claims to be."""
    found = registry(version).by_kind(obj["apiVersion"], obj["kind"])
    assert found is not None
    return found


def merged(base: Object, change: Object) -> Object:
    """Merge a change into an object, dictionaries by key; None removes."""
    result = dict(base)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            result[key] = merged(base[key], value)
        else:
            result[key] = value
    return result


def defaulted(obj: Object, version: str = "1.35") -> Object:
    """Return what a new object becomes; its defaults must be idempotent and share what stays."""
    strategy = strategy_of(kind_of(obj, version))
    full = strategy.default(obj)
    assert strategy.default(full) is full
    return strategy.prepare_create(full)


def creation(obj: Object, version: str = "1.35") -> list[str]:
    """Return every complaint about a new object."""
    strategy = strategy_of(kind_of(obj, version))
    return [str(problem) for problem in strategy.validate_create(defaulted(obj, version))]


def update(new: Object, old: Object, subresource: str = "", version: str = "1.35") -> list[str]:
    """Return every complaint about a write to an object that was made from ``old``."""
    strategy = strategy_of(kind_of(new, version))
    before = defaulted(old, version)
    if "status" in old:
        before = {**before, "status": old["status"]}
    after = strategy.prepared(new, before, subresource)
    return [str(problem) for problem in strategy.problems(after, before, subresource)]


def told(text: str) -> list[str]:
    """Return the complaints of a list in text: each after ``- ``, its further lines indented.

    ``<subdomain>``, ``<label>``, ``<label-1035>``, ``<qualified>`` and ``<label-value>`` stand for
    what is said of names of a wrong form.
    """
    found: list[str] = []
    for line in text.strip().splitlines():
        words = line.strip()
        if words.startswith("- "):
            found.append(words[2:])
        else:
            found[-1] += f" {words}"
    for name, said in _FORMS.items():
        found = [one.replace(name, said) for one in found]
    return found
