"""Values as upstream shows them that it keeps in types without JSON names.

Those show Go's field names, and every field: ``{"APIGroup":"","Kind":"Role","Name":"r"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def internal(value: Mapping[str, Any] | None, **fields: str) -> dict[str, Any] | None:
    """Rename an object's text fields: ``APIGroup="apiGroup"``, in the order of Go's structure."""
    if value is None:
        return None
    return {shown: value.get(name) or "" for shown, name in fields.items()}
