"""Which requests a policy and its bindings are about."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Object
from orchestrator.resources.selectors import LabelSelector, label_selector
from orchestrator.store.admission import Attributes
from orchestrator.store.admission.matching import (
    is_exempt,
    matched_kind,
    namespace_matches,
    namespace_name,
    object_matches,
)
from orchestrator.store.conversion import Conversion


class Reading(Protocol):
    """What is needed of the store."""

    conversion: Conversion

    @property
    def registry(self) -> KindRegistry:
        """The kinds that are served at the moment."""

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return one committed object."""

    def list(self, resource: str) -> list[Object]:
        """Return all objects of a resource."""


class Criteria:
    """``matchConstraints`` of a policy, or ``matchResources`` of a binding."""

    def __init__(self, form: dict[str, Any] | None) -> None:
        """Keep the form; None matches everything."""
        self._form = form or {}
        self.rules: list[Object] = list(self._form.get("resourceRules") or ())
        self._excluded: list[Object] = list(self._form.get("excludeResourceRules") or ())
        self._equivalent = self._form.get("matchPolicy", "Equivalent") == "Equivalent"

    @cached_property
    def _namespaces(self) -> LabelSelector:
        return label_selector(self._form.get("namespaceSelector") or {})

    @cached_property
    def _objects(self) -> LabelSelector:
        return label_selector(self._form.get("objectSelector") or {})

    def kind(
        self, operation: str, kind: Kind, subresource: str, registry: KindRegistry
    ) -> Kind | None:
        """Return the version in which requests are looked at; None where no rule is about them."""
        if is_exempt(kind):
            return None
        if not self.rules:
            return kind
        return matched_kind(
            self.rules, operation, kind, subresource, registry, equivalent=self._equivalent
        )

    def matched(self, attributes: Attributes, store: Reading) -> Kind | None:
        """Return the version in which a request is looked at; None when it does not match."""
        if not object_matches(self._objects, attributes):
            return None
        if not self._namespaces.empty:
            namespace = store.get("namespaces", "", namespace_name(attributes))
            if not namespace_matches(self._namespaces, attributes, namespace):
                return None
        if self._excluded and self._by_rules(self._excluded, attributes, store) is not None:
            return None
        if not self.rules:
            return attributes.kind if not is_exempt(attributes.kind) else None
        return self._by_rules(self.rules, attributes, store)

    def _by_rules(self, rules: list[Object], attributes: Attributes, store: Reading) -> Kind | None:
        named = [
            rule
            for rule in rules
            if not rule.get("resourceNames") or attributes.name in rule["resourceNames"]
        ]
        if is_exempt(attributes.kind):
            return None
        return matched_kind(
            named,
            attributes.operation,
            attributes.kind,
            attributes.subresource,
            store.registry,
            equivalent=self._equivalent,
        )


async def converted(attributes: Attributes, kind: Kind, store: Reading) -> Attributes:
    """Return a request with its objects in another version.

    Raises:
        StatusError: 500, the conversion failed.
    """
    if kind is attributes.kind or attributes.subresource not in {"", "status"}:
        return attributes
    one = store.conversion.one
    obj, old = attributes.object, attributes.old
    return replace(
        attributes,
        kind=kind,
        object=await one(obj, kind) if obj is not None else None,
        old=await one(old, kind) if old is not None else None,
    )


def namespace_of_request(attributes: Attributes, store: Reading) -> Object | None:
    """Return the namespace that ``namespaceObject`` shows; a Namespace has none itself."""
    if not attributes.namespace or attributes.kind.resource == "namespaces":
        return None
    return store.get("namespaces", "", attributes.namespace)
