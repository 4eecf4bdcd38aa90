"""Webhooks: whom they concern, what they are sent, and what is made of their answers."""

from typing import TYPE_CHECKING

from orchestrator.lazily import exports

if TYPE_CHECKING:
    from orchestrator.webhooks.admission import MutatingWebhooks, ValidatingWebhooks
    from orchestrator.webhooks.client import WebhookClient
    from orchestrator.webhooks.conversion import ConversionWebhooks

__all__ = ["ConversionWebhooks", "MutatingWebhooks", "ValidatingWebhooks", "WebhookClient"]

__getattr__ = exports(
    __name__,
    {
        "ConversionWebhooks": "orchestrator.webhooks.conversion",
        "MutatingWebhooks": "orchestrator.webhooks.admission",
        "ValidatingWebhooks": "orchestrator.webhooks.admission",
        "WebhookClient": "orchestrator.webhooks.client",
    },
)
