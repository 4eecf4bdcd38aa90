"""The messages of the built-in kinds, read from the table beside this module when first needed."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Literal, NamedTuple

Form = Literal["one", "optional", "list", "map", "inline"]
_FORMS: Final[dict[str, Form]] = {"?": "optional", "[": "list", "{": "map", "^": "inline"}


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: Its number on the wire.
        name: The JSON name.
        form: ``optional`` is a Go pointer, whose zero is a value; a ``one`` is always written.
        type: ``s``, ``b``, ``i``, ``t``, ``d``, or a message's full name; one with ``*`` behind it
            stands for a list of strings.
        shown: For a ``one``: in JSON even if it is zero.
    """

    number: int
    name: str
    form: Form
    type: str
    shown: bool


@cache
def _lines() -> dict[str, str]:
    text = files(__package__).joinpath("messages.txt").read_text()
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, rest = line.partition(" ")
            found[name] = rest
    return found


def message(name: str) -> tuple[Field, ...]:
    """Return a message's fields by number; KeyError for one that is not in the table."""
    package = name.rpartition(".")[0]
    fields = []
    for cell in _lines()[name].split():
        number, _, rest = cell.partition("=")
        # A name may hold colons in theory, a type never does.
        field, _, type_ = rest.rpartition(":")
        form = _FORMS.get(type_[0], "one")
        shown = type_[0] == "!"
        if shown or form != "one":
            type_ = type_[1:]
        if type_[0] == ".":
            type_ = package + type_
        fields.append(Field(int(number), field, form, type_, shown))
    return tuple(fields)


_PACKAGES: Final = {
    "": "core",
    "apps": "apps",
    "autoscaling": "autoscaling",
    "batch": "batch",
    "policy": "policy",
    "admissionregistration.k8s.io": "admissionregistration",
    "apiextensions.k8s.io": "apiextensions",
    "apiregistration.k8s.io": "apiregistration",
    "authentication.k8s.io": "authentication",
    "authorization.k8s.io": "authorization",
    "certificates.k8s.io": "certificates",
    "coordination.k8s.io": "coordination",
    "discovery.k8s.io": "discovery",
    "events.k8s.io": "events",
    "flowcontrol.apiserver.k8s.io": "flowcontrol",
    "internal.apiserver.k8s.io": "apiserverinternal",
    "lifecycle.k8s.io": "lifecycle",
    "meta.k8s.io": "meta",
    "networking.k8s.io": "networking",
    "node.k8s.io": "node",
    "rbac.authorization.k8s.io": "rbac",
    "resource.k8s.io": "resource",
    "scheduling.k8s.io": "scheduling",
    "storage.k8s.io": "storage",
    "storagemigration.k8s.io": "storagemigration",
}
"""API group to Go package; a group that is not here has no protobuf form."""

_EVERYWHERE: Final = frozenset(
    {
        "CreateOptions",
        "DeleteOptions",
        "GetOptions",
        "ListOptions",
        "PatchOptions",
        "UpdateOptions",
        "WatchEvent",
    }
)
"""Kinds of meta.k8s.io that belong to every group and version."""

_UNVERSIONED: Final = frozenset(
    {"Status", "APIVersions", "APIGroupList", "APIGroup", "APIResourceList"}
)


_TYPE_LIMIT: Final = 512
"""Characters of a type's names; clients may send longer ones, which no kind has."""


def message_of(api_version: str, kind: str) -> str | None:
    """Return the message of a kind, None when it has no protobuf form."""
    if len(api_version) + len(kind) > _TYPE_LIMIT:
        return None
    return _message_of(api_version, kind)


@lru_cache(maxsize=1024)
def _message_of(api_version: str, kind: str) -> str | None:
    if kind in _EVERYWHERE or (kind in _UNVERSIONED and api_version == "v1"):
        return f"meta.v1.{kind}"
    group, _, version = api_version.rpartition("/")
    package = _PACKAGES.get(group)
    if package is None:
        return None
    if package == "meta":
        version = "v1"  # v1beta1 has the same messages
    name = f"{package}.{version}.{kind}"
    return name if name in _lines() else None
