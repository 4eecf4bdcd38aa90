"""ConfigMaps, and what they share with Secrets: keys, size, immutability."""

from __future__ import annotations

from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.problems import each_invalid, forbidden, invalid, too_long
from orchestrator.resources.strategies._metadata import metadata_check, metadata_update_check
from orchestrator.resources.strategies._strategy import (
    Strategy,
    ValidateUpdate,
    build,
    combined_update,
)

SIZE_LIMIT: Final = 1024 * 1024
"""Bytes of all values of a ConfigMap or Secret together."""


def strategy(_kind: Kind) -> Strategy:
    """Build the rules of ConfigMaps."""
    return build(
        has_status=False,
        create_checks=(metadata_check(names.dns_subdomain, namespaced=True), _data),
        update_checks=(
            combined_update(metadata_update_check(), immutable_data("data", "binaryData")),
        ),
    )


def _data(obj: Object) -> list[FieldError]:
    data = obj.get("data") or {}
    binary = obj.get("binaryData") or {}
    found: list[FieldError] = []
    size = 0
    for key, value in data.items():
        found += each_invalid(f"data[{key}]", key, names.config_key(key))
        if key in binary:
            found.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        size += len(value.encode())
    for key, value in binary.items():
        found += each_invalid(f"binaryData[{key}]", key, names.config_key(key))
        size += decoded_size(value)
    if size > SIZE_LIMIT:
        found.append(too_long("[]", SIZE_LIMIT))  # how upstream prints a path to the whole
    return found


def decoded_size(text: str) -> int:
    """Return how many bytes base64 text stands for."""
    return len(text) * 3 // 4 - text[-2:].count("=")


def immutable_data(*fields: str) -> ValidateUpdate:
    """Make the check that an object marked ``immutable`` keeps its data and its mark."""

    def check(new: Object, old: Object) -> list[FieldError]:
        if not old.get("immutable"):
            return []
        found = []
        why = "field is immutable when `immutable` is set"
        if not new.get("immutable"):
            found.append(forbidden("immutable", why))
        found += [
            forbidden(field, why)
            for field in fields
            if (new.get(field) or {}) != (old.get(field) or {})
        ]
        return found

    return check
