"""Addresses and ports that services own: given out, checked, taken back."""

from __future__ import annotations

from orchestrator.resources.objects import Key, Object


class ServiceAllocator:
    """Allocates nothing yet."""

    def allocate(self, key: Key, obj: Object) -> Object:
        return obj

    def reallocate(self, key: Key, current: Object, wanted: Object) -> Object:
        return wanted

    def release(self, key: Key, obj: Object) -> None:
        pass

    def begin(self) -> None:
        pass

    def rollback(self) -> None:
        pass

    def rebuild(self) -> None:
        pass
