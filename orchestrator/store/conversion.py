"""Between the version that objects are stored in and the versions that they are asked for in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orchestrator.resources.errors import internal_error
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object


class ConversionWebhook(Protocol):
    """Whoever asks a custom kind's webhook."""

    async def convert(self, objects: Sequence[Object], kind: Kind) -> list[Object]:
        """Return the objects in the version of ``kind``, in order.

        Raises:
            StatusError: 500, the webhook failed or answered something else than it was asked.
        """


class Conversion:
    """Converts objects of kinds with several versions.

    Attributes:
        webhook: Asks webhooks; set by whoever composes the cluster.
    """

    def __init__(self) -> None:
        self.webhook: ConversionWebhook | None = None

    @staticmethod
    def waits(kind: Kind) -> bool:
        """Tell whether a conversion to or from ``kind`` may take a webhook."""
        return kind.custom is not None and kind.custom.webhook is not None

    @staticmethod
    def now(obj: Object, kind: Kind) -> Object:
        """Return an object in the version of ``kind``, which does not wait."""
        if kind.custom is not None:
            return kind.custom.converted(obj, kind.api_version)
        if obj["apiVersion"] == kind.api_version:
            return obj
        from orchestrator.resources.conversions import convert_built_in

        return convert_built_in(obj, kind)

    async def convert(self, objects: Sequence[Object], kind: Kind) -> list[Object]:
        """Return objects in the version of ``kind``, in order; a webhook is asked once for all.

        Raises:
            StatusError: 500, a webhook is needed and failed.
        """
        now = self.now
        if not self.waits(kind):
            return [now(obj, kind) for obj in objects]
        wanted = kind.api_version
        others = [obj for obj in objects if obj["apiVersion"] != wanted]
        if not others:
            return [now(obj, kind) for obj in objects]
        if self.webhook is None:
            raise internal_error(
                f"conversion of {kind.plural}.{kind.group} to {kind.version} needs a webhook, and "
                "this server calls none"
            )
        converted = iter(await self.webhook.convert(others, kind))
        return [
            now(obj, kind) if obj["apiVersion"] == wanted else next(converted) for obj in objects
        ]

    async def one(self, obj: Object, kind: Kind) -> Object:
        """Return one object in the version of ``kind``.

        Raises:
            StatusError: As `convert`.
        """
        if obj["apiVersion"] == kind.api_version or not self.waits(kind):
            return self.now(obj, kind)
        return (await self.convert([obj], kind))[0]
