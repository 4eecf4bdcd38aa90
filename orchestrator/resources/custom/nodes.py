"""Schemas of custom kinds as the structure that patches and field management go by."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.custom.pruning import OBJECT_META
from orchestrator.resources.definitions import Definitions, SchemaNode, definitions

_STRING: Final = {"type": "string"}


class CustomDefinitions(Definitions):
    """The schema of one version of a custom kind; metadata is the built-in structure."""

    def __init__(self, release: str) -> None:
        """Begin without a schema.

        Args:
            release: Kubernetes version whose ObjectMeta objects have.
        """
        self.version = release
        self._built_in = definitions(release)

    def root(self, schema: dict[str, Any]) -> SchemaNode:
        """Return the structure of whole objects."""
        return self._object({**schema, "type": "object"})

    def node(self, schema: dict[str, Any]) -> SchemaNode:
        """Return the node of one place."""
        if schema.get("x-kubernetes-embedded-resource"):
            return self._object(schema)
        return SchemaNode(self, schema, "", schema)

    def _object(self, schema: dict[str, Any]) -> SchemaNode:
        properties = {**(schema.get("properties") or {}), "apiVersion": _STRING, "kind": _STRING}
        node = SchemaNode(self, {**schema, "properties": properties}, "", schema)
        node.fields["metadata"] = self._built_in.definition(OBJECT_META)
        return node


def custom_schema(schema: dict[str, Any], release: str) -> SchemaNode:
    """Return the structure of a custom kind's objects."""
    return CustomDefinitions(release).root(schema)
