"""Webhooks: whom they concern, what they are sent, and what is made of their answers."""

from orchestrator.webhooks.admission import MutatingWebhooks, ValidatingWebhooks
from orchestrator.webhooks.client import WebhookClient

__all__ = ["MutatingWebhooks", "ValidatingWebhooks", "WebhookClient"]
