"""Conversion webhooks: custom objects from one version to another by somebody outside."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.webhooks.client import WebhookClient, WebhookError

SECONDS: Final = 0.0
"""Deadline that is told to a conversion webhook; upstream tells none, and waits for 30 s."""


class ConversionWebhooks:
    """Asks the webhook that a definition names."""

    def __init__(self, client: WebhookClient) -> None:
        """Ask with ``client``."""
        self._client = client

    async def convert(self, objects: Sequence[Object], kind: Kind) -> list[Object]:
        """Return the objects in the version of ``kind``, in order.

        Raises:
            StatusError: 500, the webhook failed or answered something else than it was asked.
        """
        from orchestrator.resources.custom.reviews import (
            ReviewError,
            conversion_review,
            converted_objects,
        )

        custom = kind.custom
        assert custom is not None
        assert custom.webhook is not None, f"{kind.kind} is converted without a webhook"
        versions = custom.webhook.get("conversionReviewVersions") or ()
        config = custom.webhook.get("clientConfig") or {}
        first = objects[0]
        try:
            review = conversion_review(objects, kind.api_version, str(uuid.uuid4()), versions)
            answer = await self._client.post(config, review, SECONDS)
            found = converted_objects(review, answer, objects)
        except WebhookError as error:
            called = f"{first['apiVersion']}, Kind={first['kind']}"
            raise _failed(f"conversion webhook for {called} failed: {error}") from error
        except ReviewError as error:
            raise _failed(str(error)) from error
        unknown: list[str] = []
        return [custom.prune(obj, "", unknown) for obj in found]


def _failed(message: str) -> StatusError:
    return StatusError(500, "", message)
