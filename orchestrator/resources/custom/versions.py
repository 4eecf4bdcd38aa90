"""What one version of a CustomResourceDefinition brings along, compiled when first needed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from orchestrator.resources.custom.columns import custom_printer
from orchestrator.resources.custom.defaulting import Fill, compile_defaults
from orchestrator.resources.custom.embedded import Embedded, compile_embedded
from orchestrator.resources.custom.expressions import Rules, compile_rules
from orchestrator.resources.custom.nodes import custom_schema
from orchestrator.resources.custom.pruning import Prune, compile_pruner
from orchestrator.resources.custom.scaling import ScalePaths
from orchestrator.resources.custom.strategy import custom_strategy
from orchestrator.resources.custom.uniqueness import Unique, compile_uniqueness
from orchestrator.resources.custom.values import Check, compile_values
from orchestrator.resources.definitions import SchemaNode
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, is_deleting, spec_of, status_of
from orchestrator.resources.printing.columns import Printer
from orchestrator.resources.strategies import Strategy

FREE: Final[Mapping[str, Any]] = {
    "type": "object",
    "x-kubernetes-preserve-unknown-fields": True,
}
"""What stands for a schema where a version has none."""


class CustomVersion:
    """One version of a custom kind.

    Immutable; a definition that changes makes new ones.

    Attributes:
        crd: The definition.
        raw: The version as the definition has it.
        release: Kubernetes version served.
        webhook: ``spec.conversion.webhook`` where a webhook converts between versions; None where
            nothing but ``apiVersion`` differs.
        terminating: The definition is being deleted: no object may be created any more.
        namespaced: Whether objects live in namespaces.
        list_kind: Kind of lists.
        siblings: All versions of the definition by name, this one included.
    """

    def __init__(self, crd: Object, raw: Mapping[str, Any], release: str) -> None:
        spec = spec_of(crd)
        conversion = spec.get("conversion") or {}
        self.crd = crd
        self.raw = raw
        self.release = release
        webhook: Object | None = conversion.get("webhook")
        self.webhook = webhook if conversion.get("strategy") == "Webhook" else None
        self.terminating = is_deleting(crd)
        self.namespaced = spec.get("scope") == "Namespaced"
        names = status_of(crd).get("acceptedNames") or {}
        self.siblings: dict[str, CustomVersion] = {}
        self._since = int(crd["metadata"].get("resourceVersion") or 0)
        self.list_kind: str = names.get("listKind") or f"{spec['names']['kind']}List"

    def check_alive(self) -> None:
        """Refuse a new object of a kind whose definition is being deleted; 405."""
        if self.terminating:
            spec = spec_of(self.crd)
            raise StatusError(
                405,
                "MethodNotAllowed",
                "create not allowed while custom resource definition is terminating",
                {"group": spec["group"], "kind": spec["names"]["plural"]},
            )

    @property
    def keeps_unknown(self) -> bool:
        """Whether the whole definition leaves unknown fields alone, as old ones may."""
        return bool(spec_of(self.crd).get("preserveUnknownFields"))

    @property
    def openapi(self) -> Mapping[str, Any] | None:
        """The schema as the definition has it."""
        found: Mapping[str, Any] | None = (self.raw.get("schema") or {}).get("openAPIV3Schema")
        return found

    @property
    def structure(self) -> Mapping[str, Any]:
        """The schema that objects are held to."""
        schema = self.openapi or FREE
        if self.keeps_unknown:
            return {**schema, "x-kubernetes-preserve-unknown-fields": True}
        return schema

    @property
    def has_status(self) -> bool:
        """Whether the status is a subresource."""
        return (self.raw.get("subresources") or {}).get("status") is not None

    def current(self, obj: Object) -> Object:
        """Return an object of this version, read from the store, as the schema has it today.

        What was written since the definition last changed is so already.
        """
        version = obj["metadata"].get("resourceVersion")
        # What a client sent as a version need not be a number.
        if not version or not version.isdecimal() or int(version) > self._since:
            return obj
        filled: Object = self.fill(self.prune(obj, "", []))
        return filled

    def converted(self, obj: Object, api_version: str) -> Object:
        """Return an object, read from the store or to be stored, under this version's name."""
        given: str = obj["apiVersion"]
        source = self.siblings.get(given.rpartition("/")[2])
        if source is not None:
            obj = source.current(obj)
        if given == api_version:
            return obj
        renamed: Object = self.prune({**obj, "apiVersion": api_version}, "", [])
        return renamed

    @cached_property
    def scale(self) -> ScalePaths | None:
        """Where the replicas are, if there is a scale subresource."""
        return ScalePaths.of((self.raw.get("subresources") or {}).get("scale"))

    @cached_property
    def selectable_fields(self) -> tuple[str, ...]:
        """Names of the fields that field selectors may use, ``spec.color``."""
        return _selectable(self.raw)

    @cached_property
    def known_fields(self) -> tuple[str, ...]:
        """Likewise in all versions: objects are selected in the version they are stored in."""
        versions = spec_of(self.crd).get("versions") or ()
        return tuple(dict.fromkeys(name for one in versions for name in _selectable(one)))

    @property
    def warning(self) -> str:
        """What every answer about this version warns of, or ``""``."""
        if not self.raw.get("deprecated"):
            return ""
        spec = spec_of(self.crd)
        own: str | None = self.raw.get("deprecationWarning")
        return own or f"{spec['group']}/{self.raw['name']} {spec['names']['kind']} is deprecated"

    @cached_property
    def schema(self) -> SchemaNode:
        """Structure of the objects, for patches and field management."""
        return custom_schema(dict(self.structure), self.release)

    @cached_property
    def strategy(self) -> Strategy:
        """The rules of the objects."""
        return custom_strategy(self)

    @cached_property
    def printer(self) -> Printer:
        """How objects are printed."""
        return custom_printer(self.raw.get("additionalPrinterColumns") or ())

    @cached_property
    def prune(self) -> Prune:
        """Leaves out what the schema does not know."""
        return compile_pruner(self.structure, resource=True)

    @cached_property
    def fill(self) -> Fill:
        """Fills in defaults."""
        return compile_defaults(self.structure)

    @cached_property
    def values(self) -> Check | None:
        """Holds objects to the schema."""
        return compile_values(self.structure)

    @cached_property
    def status_values(self) -> Check | None:
        """Holds a status to its part of the schema."""
        status = (self.structure.get("properties") or {}).get("status")
        return None if status is None else compile_values(status)

    @cached_property
    def embedded(self) -> Embedded | None:
        """Checks embedded objects."""
        return compile_embedded(self.structure)

    @cached_property
    def unique(self) -> Unique | None:
        """Checks lists whose items have to differ."""
        return compile_uniqueness(self.structure)

    @cached_property
    def rules(self) -> Rules | None:
        """Checks the rules that are written in CEL."""
        return compile_rules(self.structure)


def _selectable(version: Mapping[str, Any]) -> tuple[str, ...]:
    fields = version.get("selectableFields") or ()
    return tuple((one.get("jsonPath") or "").removeprefix(".") for one in fields)
