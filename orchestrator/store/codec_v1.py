"""Payloads of format 1, which earlier versions wrote: the same records, packed by msgpack.

A value of type *bin* is a packed part, which many records may share.
"""

from __future__ import annotations

from typing import Any

import msgpack

FORMAT = 1
_SHARED_LIMIT = 1024


class Reader:
    """Reads records of format 1 as those of the present one."""

    def __init__(self) -> None:
        self._shared: dict[bytes, Any] = {}

    def read(self, data: bytes) -> tuple[list[Any], list[Any]]:
        """Return the record, and the values that it shares with others."""
        record = msgpack.unpackb(data, strict_map_key=False)
        if record[0] != FORMAT:
            return record, []
        shared: list[Any] = []
        if record[1] == 0:
            packed = [part for part, value in record[2].items() if type(value) is bytes]
            shared = [self._value(record[2][part]) for part in packed]
            record.append(packed)
        elif record[1] == 1:
            conditions = (record[2].get("status") or {}).get("conditions")
            if type(conditions) is bytes:
                shared = [self._value(conditions)]
        return record, shared

    def _value(self, data: bytes) -> Any:
        value = self._shared.get(data)
        if value is None:
            value = msgpack.unpackb(data, strict_map_key=False)
            if len(self._shared) >= _SHARED_LIMIT:
                del self._shared[next(iter(self._shared))]
            self._shared[data] = value
        return value
