"""The published structure of every built-in type, per Kubernetes version.

The definitions come with the ``kubernetes-validate`` package: OpenAPI schemas with list types, map
keys and merge keys, but no defaults. A version's file takes about 5 ms to parse; that is done when
the first schema is asked for, which most often is a client's first write, and the descriptions (two
thirds of its size) are dropped then. Whoever needs them (``/openapi``) reads the file again with
`published_definitions`.
"""

from __future__ import annotations

import re
from copy import copy
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from orchestrator.resources._kind_index import GroupVersionKind, find_kinds

if TYPE_CHECKING:
    from orchestrator.resources.kinds import Kind

DEFAULT_VERSION: Final = "1.35"
"""Kubernetes version served when none is asked for."""

_REF_PREFIX: Final = "#/$defs/"
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_SCHEMA_DIRECTORY: Final = "kubernetes-json-schema"
_FREE_FORM: Final = (
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray",
)


class SchemaNode:
    """One place in the structure of a type, with references already followed.

    Children are built when first asked for and shared by every place that refers to the same
    definition, so recursive types are finite and a tree walked twice costs its memory once.

    Attributes:
        name: Name of the definition it came from, empty for a schema written in place.
        type: ``object``, ``array``, ``string``, ``integer``, ``number``, ``boolean``, or empty
            where any JSON value may stand.
        format: ``int32``, ``int64``, ``double``, ``byte``, ``date-time`` or empty.
        list_type: ``atomic``, ``set``, ``map`` or empty.
        map_type: ``atomic``, ``granular`` or empty.
        map_keys: Fields that identify an item of a ``map`` list.
        merge_key: Field by which strategic merge identifies an item, or empty.
        patch_strategy: ``merge``, ``replace``, ``retainKeys``, ``merge,retainKeys`` or empty.
        required: Fields that must be present.
        is_quantity: A resource quantity: a string or a number.
        is_int_or_string: An ``IntOrString``.
        shape: What `orchestrator.resources.patches` makes of it, once it has.
    """

    __slots__ = (
        "_additional",
        "_definitions",
        "_fields",
        "_items",
        "_raw",
        "format",
        "is_int_or_string",
        "is_quantity",
        "list_type",
        "map_keys",
        "map_type",
        "merge_key",
        "name",
        "patch_strategy",
        "required",
        "shape",
        "type",
    )

    def __init__(
        self, definitions: Definitions, raw: dict[str, Any], name: str, place: dict[str, Any]
    ) -> None:
        """Build a node from a definition.

        Args:
            definitions: Where references are looked up.
            raw: The schema proper.
            name: The definition's name or empty.
            place: The schema of the place that referred here; its extensions win.
        """
        self._definitions = definitions
        self._raw = raw
        self._fields: dict[str, SchemaNode] | None = None
        self._items: SchemaNode | None = None
        self._additional: SchemaNode | None = None
        kind = raw.get("type", "")
        self.name = name
        self.type: str = kind[0] if isinstance(kind, list) else kind
        self.format: str = raw.get("format", "")
        self.is_quantity = name == _QUANTITY
        self.is_int_or_string = name == _INT_OR_STRING
        if name in _FREE_FORM:
            self.type = ""
        both = raw if place is raw else {**raw, **place}
        self.list_type: str = both.get("x-kubernetes-list-type", "")
        self.map_type: str = both.get("x-kubernetes-map-type", "")
        self.map_keys: tuple[str, ...] = tuple(both.get("x-kubernetes-list-map-keys", ()))
        self.merge_key: str = both.get("x-kubernetes-patch-merge-key", "")
        self.patch_strategy: str = both.get("x-kubernetes-patch-strategy", "")
        self.required: tuple[str, ...] = tuple(raw.get("required", ()))
        self.shape: Any = None

    @property
    def fields(self) -> dict[str, SchemaNode]:
        """Named fields of an object, empty for maps and free-form values."""
        if self._fields is None:
            node = self._definitions.node
            self._fields = {
                field: node(schema) for field, schema in self._raw.get("properties", {}).items()
            }
        return self._fields

    @property
    def items(self) -> SchemaNode | None:
        """Schema of a list's items."""
        if self._items is None and "items" in self._raw:
            self._items = self._definitions.node(self._raw["items"])
        return self._items

    @property
    def additional(self) -> SchemaNode | None:
        """Schema of a map's values."""
        if self._additional is None and isinstance(
            schema := self._raw.get("additionalProperties"), dict
        ):
            self._additional = self._definitions.node(schema)
        return self._additional

    @property
    def open(self) -> bool:
        """Whether fields that are not named may stand beside those that are (custom kinds)."""
        return bool(self._raw.get("x-kubernetes-preserve-unknown-fields"))

    @property
    def is_free_form(self) -> bool:
        """Whether any fields may stand here: RawExtension, FieldsV1, JSON, unknown types."""
        return self.type in {"", "object"} and not (
            self._raw.get("properties") or self._raw.get("additionalProperties")
        )

    def sibling(self, name: str) -> SchemaNode:
        """Return another definition of the same version."""
        return self._definitions.definition(name)

    @property
    def keeps_unknown(self) -> bool:
        """Whether fields may stand here that are not named, as schemas of custom kinds say it."""
        return bool(self._raw.get("x-kubernetes-preserve-unknown-fields"))

    @property
    def default(self) -> Any:
        """What schemas of custom kinds have for a field that is missing, or None."""
        return self._raw.get("default")

    def __repr__(self) -> str:
        return f"SchemaNode({self.name or self.type})"


class Definitions:
    """All definitions of one Kubernetes version.

    Attributes:
        version: ``1.35``.
        kinds: The definition of each kind, for definitions of one kind only.
    """

    def __init__(self, version: str) -> None:
        """Find out which kinds there are.

        Raises:
            ValueError: The installed package does not carry that version.
        """
        self.version = version
        self._nodes: dict[str, SchemaNode] = {}
        self.kinds = find_kinds(_read(version)) or self._read_kinds()

    def _read_kinds(self) -> dict[GroupVersionKind, str]:
        found = {}
        for name, definition in self._raw.items():
            kinds = definition.get("x-kubernetes-group-version-kind", ())
            if len(kinds) == 1:
                found[kinds[0]["group"], kinds[0]["version"], kinds[0]["kind"]] = name
        return found

    @cached_property
    def _raw(self) -> dict[str, dict[str, Any]]:
        return _stripped(published_definitions(self.version))

    def extended(self, more: dict[str, dict[str, Any]]) -> Definitions:
        """Return these definitions with others beside them, which may refer to them."""
        both = copy(self)
        both._raw = {**self._raw, **more}  # noqa: SLF001 - of its own class
        both._nodes = {}  # noqa: SLF001 - likewise
        return both

    def __contains__(self, name: object) -> bool:
        return name in self._raw

    def definition(self, name: str) -> SchemaNode:
        """Return a definition by name; KeyError where this version has none."""
        node = self._nodes.get(name)
        if node is None:
            raw = self._raw[name]
            node = self._nodes[name] = SchemaNode(self, raw, name, raw)
        return node

    def schema_of(self, kind: Kind) -> SchemaNode:
        """Return the structure of a kind's objects."""
        return self.definition(kind.definition)

    def node(self, schema: dict[str, Any]) -> SchemaNode:
        """Return the node of a schema found inside a definition, following its reference."""
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return SchemaNode(self, schema, "", schema)
        name = reference.removeprefix(_REF_PREFIX)
        if any(extension.startswith("x-") for extension in schema):
            return SchemaNode(self, self._raw[name], name, schema)
        return self.definition(name)


@cache
def definitions(version: str = DEFAULT_VERSION) -> Definitions:
    """Return the definitions of a version (``1.35``), read on first use.

    Raises:
        ValueError: The installed package does not carry that version.
    """
    return Definitions(version)


def schema_of(kind: Kind) -> SchemaNode:
    """Return the structure of a kind's objects, built-in or custom."""
    if kind.custom is not None:
        return kind.custom.schema
    return definitions(kind.release).schema_of(kind)


def available_versions() -> list[str]:
    """Versions that the installed definitions carry, oldest first."""
    pattern = re.compile(r"v(\d+)\.(\d+)\.\d+-local")
    found = [
        (int(match[1]), int(match[2]))
        for entry in _directory().iterdir()
        if (match := pattern.fullmatch(entry.name))
    ]
    return [f"{major}.{minor}" for major, minor in sorted(found)]


def published_definitions(version: str) -> dict[str, dict[str, Any]]:
    """Read a version's definitions with their descriptions; a new dictionary each time.

    Raises:
        ValueError: The installed package does not carry that version.
    """
    document = orjson.loads(_read(version))
    found: dict[str, dict[str, Any]] = document.get("$defs") or document["definitions"]
    return found


def _read(version: str) -> bytes:
    path = _directory() / f"v{version}.0-local" / "_definitions.json"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ValueError(
            f"no definitions for Kubernetes {version}; "
            f"this installation has {', '.join(available_versions())}"
        ) from None


def _directory() -> Path:
    """Find the schemas without importing their package, which takes 100 ms and is not needed."""
    found = find_spec("kubernetes_validate")
    if found is None or found.origin is None:
        raise ValueError("the package kubernetes-validate is not installed; it holds the schemas")
    return Path(found.origin).parent / _SCHEMA_DIRECTORY


def _stripped(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Drop the descriptions from freshly read definitions, in place."""
    for definition in found.values():
        definition.pop("description", None)
        for field in definition.get("properties", {}).values():
            field.pop("description", None)
    return found
