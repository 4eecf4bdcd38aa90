"""Stop-gaps for parts that are being written; each goes as its part lands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

try:
    from orchestrator.resources.decoding import decode
except ImportError:

    @dataclass
    class Decoded:
        object: Any
        warnings: list = field(default_factory=list)

    def decode(body, kind, *, validation="Warn", raw=None):
        body.setdefault("apiVersion", kind.api_version)
        body.setdefault("kind", kind.kind)
        return Decoded(body)


try:
    from orchestrator.resources.printing import partial_object_metadata, table
except ImportError:

    def table(kind, objects, *, now, include_object="Metadata"):
        return {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": {},
            "columnDefinitions": [
                {
                    "name": "Name",
                    "type": "string",
                    "format": "name",
                    "description": "",
                    "priority": 0,
                }
            ],
            "rows": [
                {"cells": [o["metadata"]["name"]], "object": partial_object_metadata(o)}
                for o in objects
            ],
        }

    def partial_object_metadata(obj):
        return {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": obj["metadata"],
        }


try:
    from orchestrator.resources.patches import server_side_apply, track_update
except ImportError:

    def track_update(old, new, schema, manager, now, subresource):
        return new.get("metadata", {}).get("managedFields")

    def server_side_apply(current, applied, schema, manager, force, now, subresource):
        from orchestrator.resources.patches import apply_strategic_merge_patch

        return applied if current is None else apply_strategic_merge_patch(current, applied, schema)


@dataclass
class Page:
    items: list
    resource_version: int
    continue_: str = ""
    remaining: int | None = None


def list_page(store, resource, namespace, **options):
    if hasattr(store, "list_page"):
        return store.list_page(resource, namespace, **options)
    return Page(
        store.list(resource, namespace, labels=options["labels"], fields=options["fields"]),
        store.sequence,
    )
