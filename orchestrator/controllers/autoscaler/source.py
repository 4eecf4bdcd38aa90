"""Where an autoscaler's metrics come from: one of the three metrics APIs, whoever serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Protocol

from orchestrator.records import dataclass
from orchestrator.resources.objects import Object


class MetricsError(Exception):
    """A metrics API has no answer; the text is what a client says of it."""


@dataclass(frozen=True, slots=True)
class Question:
    """One read of a metrics API.

    Attributes:
        group: ``metrics.k8s.io``, ``custom.metrics.k8s.io`` or ``external.metrics.k8s.io``.
        versions: Those that will do, the preferred one first.
        path: Below the version, quoted where it has to be.
        resource: What is read, for messages: ``pods``.
        query: Query parameters.
    """

    group: str
    versions: tuple[str, ...]
    path: str
    resource: str
    query: Mapping[str, str] = field(default_factory=dict)


class MetricsSource(Protocol):
    """Asks the metrics APIs."""

    async def read(self, question: Question, pods: Sequence[Object]) -> Object:
        """Return the list that answers a question.

        Args:
            question: What is asked.
            pods: Those that its ``labelSelector`` selects, for a source that need not look.

        Raises:
            MetricsError: With the reason.
        """


class NoMetrics:
    """The source of a cluster that has none."""

    async def read(self, question: Question, pods: Sequence[Object]) -> Object:
        """Know nothing."""
        del pods
        raise MetricsError(
            "the server could not find the requested resource "
            f"(get {question.resource}.{question.group})"
        )
