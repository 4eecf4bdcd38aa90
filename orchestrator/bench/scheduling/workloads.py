"""What a workload is: operations in order, in the vocabulary of Kubernetes' scheduler_perf.

`loading`, beside this module, reads them from YAML; `running` carries them out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

from orchestrator.bench.failures import UserError

Template: TypeAlias = Mapping[str, Any]
Count: TypeAlias = int | str
"""A number, or ``$name`` of a parameter."""

DEFAULT_PACE: Final = 500.0
"""About what kube-scheduler places in a second."""


class WorkloadError(UserError):
    """A workload cannot be read or run as asked; the message says where, what and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNodes:
    """Make nodes.

    Attributes:
        label: A key, and the values that the nodes take in turn; None for no label.
        allocatable: Further resources that each node has, by name.
        volumes: How many volumes of a CSI driver a node can attach, by driver's name.
    """

    count: Count
    template: Template
    label: tuple[str, tuple[str, ...]] | None = None
    allocatable: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNamespaces:
    """Make namespaces ``<prefix>-0``, ``<prefix>-1``, ...; with a template's labels if any."""

    prefix: str
    count: Count
    template: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAny:
    """Make objects of any kind. ``namespace`` is made when it is missing."""

    template: Template
    count: Count = 1
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePods:
    """Make pods.

    Attributes:
        namespace: Made when it is missing; empty for ``namespace-<number of the operation>``.
        volume: Each pod gets a PersistentVolume like this, bound to a claim like ``claim``.
        measured: The figures are about these pods.
        waits: Go on only when all are scheduled.
    """

    count: Count
    template: Template
    namespace: str = ""
    volume: Template | None = None
    claim: Template | None = None
    measured: bool = False
    waits: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePodSets:
    """Do ``pods`` in each of the namespaces ``<prefix>-0`` to ``<prefix>-<count - 1>``."""

    prefix: str
    count: Count
    pods: CreatePods


@dataclass(frozen=True, slots=True, kw_only=True)
class Churn:
    """Make objects beside what follows, until the workload ends.

    Attributes:
        mode: ``create`` adds one of each template at every interval; ``recreate`` has ``number`` of
            each, and deletes and makes one of each anew in turn.
        number: How many of each there are at most; 0 for no bound.
        interval: Seconds.
        namespace: As for pods.
    """

    mode: Literal["create", "recreate"]
    templates: tuple[Template, ...]
    number: Count = 0
    interval: float = 0.5
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePods:
    """Delete the pods of a namespace.

    Attributes:
        labels: Only pods with these; empty for all.
        per_second: At this rate; 0 for all at once.
        waits: Go on only when they are deleted.
    """

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    per_second: int = 0
    waits: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Barrier:
    """Wait until all pods made so far are scheduled, or have at least been tried."""

    stage: Literal["Scheduled", "Attempted"] = "Scheduled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """Let time pass."""

    seconds: float


Step: TypeAlias = (
    CreateNodes
    | CreateNamespaces
    | CreateAny
    | CreatePods
    | CreatePodSets
    | Churn
    | DeletePods
    | Barrier
    | Sleep
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One case in one size.

    Attributes:
        name: Of the case.
        size: Of this size, such as ``5000Nodes_10000Pods``.
        about: What is special about it, for people.
        steps: In order.
        parameters: What the steps' ``$names`` stand for.
        floor: Pods a second that kube-scheduler reaches at least; None when none is published for
            this size.
        pace: Pods that count as a second where there is no time, in the core alone.
        target: Pods a second to reach through the store, where it is not derived from the floor.
        core_target: Pods a second to reach by the scheduler's core alone.
    """

    name: str
    size: str
    about: str
    steps: tuple[Step, ...]
    parameters: Mapping[str, int]
    floor: float | None = None
    pace: float = DEFAULT_PACE
    target: float | None = None
    core_target: float | None = None

    @property
    def full_name(self) -> str:
        """Name and size, as an option takes them."""
        return f"{self.name}/{self.size}"

    def value(self, count: Count) -> int:
        """Return what a count comes to."""
        return count if isinstance(count, int) else self.parameters[count[1:]]

    @property
    def nodes(self) -> int:
        """How many nodes it makes in all."""
        return sum(self.value(step.count) for step in self.steps if isinstance(step, CreateNodes))

    @property
    def measured_pods(self) -> int:
        """How many pods the figures are about."""
        return sum(self.value(step.count) for step in self.measured_steps)

    @property
    def measured_steps(self) -> list[CreatePods]:
        """The steps whose pods the figures are about."""
        return [step for step in self.steps if isinstance(step, CreatePods) and step.measured]

    @property
    def varies(self) -> bool:
        """Whether something happens beside the measured pods, so that real time has a say."""
        return any(
            isinstance(step, Churn) or (isinstance(step, DeletePods) and not step.waits)
            for step in self.steps
        )

    def resized(self, nodes: int | None, pods: int | None) -> Workload:
        """Return the same case in another size, for which there is no floor and no target.

        Args:
            nodes: How many nodes; all other parameters keep their ratio to it. None leaves them.
            pods: How many measured pods. None keeps their ratio to the nodes.

        Raises:
            WorkloadError: The number asked for is not given by a parameter.
        """
        if nodes is None and pods is None:
            return self
        node_names = self._names("--nodes", [s for s in self.steps if isinstance(s, CreateNodes)])
        pod_names = self._names("--pods", self.measured_steps)
        parameters = dict(self.parameters)
        if nodes is not None:
            present = sum(parameters[name] for name in node_names)
            for name, value in parameters.items():
                parameters[name] = max(1, math.ceil(value * nodes / present)) if value else 0
        if pods is not None:
            present = sum(parameters[name] for name in pod_names)
            for name in pod_names:
                parameters[name] = max(1, round(parameters[name] * pods / present))
        return replace(
            self,
            parameters=parameters,
            size=f"{self.size} resized",
            floor=None,
            target=None,
            core_target=None,
        )

    def _names(self, option: str, steps: list[Any]) -> list[str]:
        names = [step.count[1:] for step in steps if isinstance(step.count, str)]
        if not names:
            raise WorkloadError(
                f"{self.full_name} has a fixed number there, so {option} cannot change it: "
                "give the number by countParam and params in its file"
            )
        return list(dict.fromkeys(names))
