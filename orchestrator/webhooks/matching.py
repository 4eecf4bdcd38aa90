"""Webhooks, as their configurations describe them. Pure."""

from __future__ import annotations

from functools import cached_property

from orchestrator.records import dataclass
from orchestrator.resources.objects import Object
from orchestrator.resources.selectors import LabelSelector, label_selector


@dataclass(frozen=True)
class Webhook:
    """One webhook of one configuration.

    Attributes:
        configuration: Name of the object it stands in.
        raw: The webhook as the object has it, with its defaults.
    """

    configuration: str
    raw: Object

    @property
    def name(self) -> str:
        """The webhook's name, as users read it in refusals."""
        return str(self.raw["name"])

    @cached_property
    def rules(self) -> list[Object]:
        """What it is about."""
        return list(self.raw.get("rules") or ())

    @cached_property
    def namespaces(self) -> LabelSelector:
        """Selects by the labels of the object's namespace."""
        return label_selector(self.raw.get("namespaceSelector") or {})

    @cached_property
    def objects(self) -> LabelSelector:
        """Selects by the object's own labels."""
        return label_selector(self.raw.get("objectSelector") or {})

    @property
    def equivalent(self) -> bool:
        """Whether a rule for one version holds for the others of the same resource."""
        return bool(self.raw.get("matchPolicy", "Equivalent") == "Equivalent")

    @property
    def timeout(self) -> float:
        """Seconds that it has."""
        return float(self.raw.get("timeoutSeconds") or 10)

    @property
    def ignores_failure(self) -> bool:
        """Whether the request goes on when the webhook can't be asked."""
        return bool(self.raw.get("failurePolicy", "Fail") == "Ignore")

    @property
    def is_dry(self) -> bool:
        """Whether it may be asked about a dry run."""
        return self.raw.get("sideEffects") in ("None", "NoneOnDryRun")
