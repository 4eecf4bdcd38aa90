"""Hooks that are loaded with the first object that configures them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.store.admission.hooks import AdmissionOperation, Attributes, Hook


class Reader(Protocol):
    """What is needed of the store."""

    def list(self, resource: str) -> list[Object]:
        """Return all objects of a resource."""


class LateHook:
    """A hook of which nothing is loaded while nothing is configured.

    What evaluates policies and calls webhooks is much, and most clusters have neither.
    """

    def __init__(self, store: Reader, resource: str, load: Callable[[], Hook]) -> None:
        """Prepare.

        Args:
            store: The cluster's objects.
            resource: Whose objects configure the hook.
            load: Returns the hook; called once, with the first of them.
        """
        self._store = store
        self._resource = resource
        self._load = load
        self._hook: Hook | None = None

    def concerns(self, operation: AdmissionOperation, kind: Kind, subresource: str) -> bool:
        """Tell whether a configuration in force has a rule for such requests."""
        if self._hook is None:
            if not self._store.list(self._resource):
                return False
            self._hook = self._load()
        return self._hook.concerns(operation, kind, subresource)

    async def mutate(self, attributes: Attributes) -> Object | None:
        """Return the object as the hook has made it.

        Raises:
            StatusError: The request is refused.
        """
        return attributes.object if self._hook is None else await self._hook.mutate(attributes)

    async def validate(self, attributes: Attributes) -> None:
        """Have the hook look at what is going to be written.

        Raises:
            StatusError: The request is refused.
        """
        if self._hook is not None:
            await self._hook.validate(attributes)
