"""The messages of the built-in kinds, read from the table beside this module when first needed."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

Form = Literal["one", "optional", "list", "map", "inline"]
_FORMS: dict[str, Form] = {"?": "optional", "[": "list", "{": "map", "^": "inline"}


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        name: The JSON name.
        form: ``optional`` is a Go pointer, whose zero is a value; a ``one`` that is zero is absent
            in JSON.
        type: ``s``, ``b``, ``i``, ``t``, ``d``, or a message's full name.
    """

    name: str
    form: Form
    type: str


@cache
def _lines() -> dict[str, str]:
    text = files(__package__).joinpath("messages.txt").read_text()
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, rest = line.partition(" ")
            found[name] = rest
    return found


@cache
def message(name: str) -> dict[int, Field]:
    """Return a message's fields by number; KeyError for one that is not in the table."""
    package = name.rpartition(".")[0]
    fields = {}
    for cell in _lines()[name].split():
        number, _, rest = cell.partition("=")
        field, _, type_ = rest.partition(":")
        form = _FORMS.get(type_[0], "one")
        if form != "one":
            type_ = type_[1:]
        if type_.startswith("."):
            type_ = package + type_
        fields[int(number)] = Field(field, form, type_)
    return fields


_PACKAGES = {
    "": "core",
    "rbac.authorization.k8s.io": "rbac",
    "flowcontrol.apiserver.k8s.io": "flowcontrol",
}


def message_of(api_version: str, kind: str) -> str | None:
    """Return the message of a kind, None when the table does not have it."""
    group, _, version = api_version.rpartition("/")
    package = _PACKAGES.get(group, group.partition(".")[0])
    name = f"{package}.{version}.{kind}"
    if name in _lines():
        return name
    # Options stand in meta.k8s.io but are sent in the group of what they go with.
    shared = f"meta.v1.{kind}"
    return shared if shared in _lines() else None
