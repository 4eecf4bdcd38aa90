"""Webhooks: whom they concern, what they are sent, and what is made of their answers."""

from orchestrator.webhooks.admission import MutatingWebhooks, ValidatingWebhooks
from orchestrator.webhooks.client import WebhookClient
from orchestrator.webhooks.conversion import ConversionWebhooks

__all__ = ["ConversionWebhooks", "MutatingWebhooks", "ValidatingWebhooks", "WebhookClient"]
