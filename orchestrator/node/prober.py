"""The probes of one pod at work: a part of its actor.

A worker for each probe that is due has one timer, or one probing under way, or neither: a
simulated probe whose result cannot change costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors import Context, Job, Timer
from orchestrator.node import probes
from orchestrator.node.images import words_of
from orchestrator.node.probes import SUCCESS, Finding, Kind, Outcome, Probe, due_kinds
from orchestrator.node.scripts import Forecast, foresee, implied_probe, is_scripted
from orchestrator.node.states import ContainerState, Phase, PodState, Role
from orchestrator.node.surroundings import Surroundings
from orchestrator.records import dataclass
from orchestrator.resources.objects import Object

_UNREADY = Finding(Outcome.FAILURE, "the container says that it is not ready")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeDue:
    """It is time for a probing.

    Attributes:
        name: The container's.
        kind: Which probe.
        id: The attempt's; a probe of another one is none of its business.
    """

    name: str
    kind: Kind
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswered:
    """A probing is over; attributes as of `ProbeDue`."""

    name: str
    kind: Kind
    id: str
    finding: Finding


class _Worker:
    """One probe of one attempt.

    Attributes:
        last: When it was last its turn, seconds since the epoch; before the first turn None.
    """

    __slots__ = ("container", "id", "job", "last", "probe", "spec", "timer")

    def __init__(self, container: ContainerState, probe: Probe, spec: Object) -> None:
        self.container = container
        self.id = container.id
        self.probe = probe
        self.spec = spec
        self.last: float | None = None
        self.timer: Timer | None = None
        self.job: Job | None = None

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self.job is not None:
            self.job.cancel()


class Prober:
    """Keeps the probes of a pod going."""

    __slots__ = (
        "_around",
        "_context",
        "_event",
        "_said",
        "_scripted",
        "_seen",
        "_state",
        "_workers",
    )

    def __init__(
        self,
        context: Context[Any],
        around: Surroundings,
        state: PodState,
        event: Callable[[str, str, ContainerState], None],
    ) -> None:
        """Prepare.

        Args:
            context: The actor's, for timers and jobs.
            around: What the node's pods share.
            state: The pod.
            event: Records a warning: reason, message, container.
        """
        self._context = context
        self._around = around
        self._state = state
        self._event = event
        self._workers: dict[tuple[str, Kind], _Worker] = {}
        self._seen: Object | None = None
        self._scripted = False
        self._said: dict[str, bool] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nothing will happen by itself."""
        return all(item.timer is None and item.job is None for item in self._workers.values())

    def spec(self, container: ContainerState, kind: Kind) -> Object | None:
        """Return a container's probe, or None."""
        if container.role is Role.EPHEMERAL:
            return None
        entry = self._state.spec(container)
        found: Object | None = entry.get(kind.value)
        if found is None and kind is Kind.READINESS and not self._around.runtime.executes:
            found = implied_probe(self._state.pod, entry, self._words(entry))
        return found

    def _words(self, entry: Object) -> Mapping[str, str]:
        return words_of(self._around.runtime.declared(entry))

    def begin(self, container: ContainerState) -> None:
        """Set what holds for a container that was just started, before any probing."""
        container.started = self.spec(container, Kind.STARTUP) is None
        container.ready = (
            self.spec(container, Kind.READINESS) is None
            and self._around.runtime.readiness(container.id) is not False
        )

    def adjust(self, now: float) -> bool:
        """Have exactly the probes at work that are due; tell whether a container changed."""
        looked = self._look_again()
        turned = self._hear_readiness()
        looked, changed = looked or turned, turned
        wanted: set[tuple[str, Kind]] = set()
        for container in self._state.all():
            if container.phase is not Phase.RUNNING:
                continue
            for kind in due_kinds(self._state, container):
                spec = self.spec(container, kind)
                if spec is None:
                    continue
                key = container.name, kind
                wanted.add(key)
                worker = self._workers.get(key)
                if worker is None or worker.id != container.id:
                    if worker is not None:
                        worker.stop()
                    worker = self._add(key, container, spec)
                    changed |= self._plan(
                        worker, worker.probe.first_at(self._began(container), now)
                    )
                elif looked and worker.timer is None and worker.job is None:
                    at = worker.probe.next_at(now if worker.last is None else worker.last, now)
                    changed |= self._plan(worker, at)
        for key in [key for key in self._workers if key not in wanted]:
            self._workers.pop(key).stop()
        return changed

    def _look_again(self) -> bool:
        """Whether a simulated pod's script may have changed since the last time."""
        annotations = self._state.pod["metadata"].get("annotations")
        before, self._seen = self._seen, annotations
        if self._around.runtime.executes or annotations == before:
            return False
        for container in self._state.all():
            if container.phase is Phase.RUNNING and self.spec(container, Kind.READINESS) is None:
                container.ready = True  # a script that made it unready is gone
        return True

    def _hear_readiness(self) -> bool:
        """Take in what containers say of themselves; tell whether that is news."""
        said = {}
        for container in self._state.all():
            if container.phase is Phase.RUNNING:
                ready = self._around.runtime.readiness(container.id)
                if ready is not None:
                    said[container.id] = ready
                    if self.spec(container, Kind.READINESS) is None:
                        container.ready = ready
        turned, self._said = said != self._said, said
        return turned

    def _add(self, key: tuple[str, Kind], container: ContainerState, spec: Object) -> _Worker:
        kind = key[1]
        # What was so before the pod was taken over is so until something else is found.
        known = True if kind is Kind.READINESS and container.ready else None
        worker = self._workers[key] = _Worker(container, Probe(kind, spec, known), spec)
        return worker

    # -- turns

    def due(self, message: ProbeDue) -> bool:
        """Take a worker's turn; tell whether a container changed."""
        worker = self._workers.get((message.name, message.kind))
        if worker is None or worker.id != message.id:
            return False
        worker.timer = None
        return self._probe(worker)

    def _plan(self, worker: _Worker, at: float) -> bool:
        """Let a worker have its turn at a time, at once if it has come."""
        delay = at - self._context.clock.now()
        if delay <= 0:
            return self._probe(worker)
        due = ProbeDue(name=worker.container.name, kind=worker.probe.kind, id=worker.id)
        worker.timer = self._context.after(delay, due)
        return False

    def _probe(self, worker: _Worker) -> bool:
        container, probe, state = worker.container, worker.probe, self._state
        now = worker.last = self._context.clock.now()
        name, kind, identity = container.name, probe.kind, worker.id
        runtime = self._around.runtime
        entry = state.spec(container)
        asked = runtime.executes or (
            runtime.answers(identity, worker.spec) and not is_scripted(state.pod, entry, kind)
        )
        if asked:
            # Simulated clusters, and pods without probes, do without it and what it imports.
            if runtime.executes:
                from orchestrator.node.handlers import exercise
            else:
                from orchestrator.node.simulated_probes import exercise

            clock = self._context.clock
            work = exercise(self._around, state, container, worker.spec, probe.timeout, clock)
            worker.job = self._context.run(
                work,
                done=lambda found: ProbeAnswered(name=name, kind=kind, id=identity, finding=found),
                failed=lambda error: ProbeAnswered(
                    name=name, kind=kind, id=identity, finding=Finding(Outcome.ERRORED, str(error))
                ),
            )
            return False
        finding, until = self._foresee(container, kind, now)
        changed = self._take(worker, finding)
        if not probe.is_settled:
            return self._plan(worker, now + probe.period) or changed
        if until is not None:
            return self._plan(worker, probe.next_at(now, until)) or changed
        return changed

    def _foresee(self, container: ContainerState, kind: Kind, now: float) -> Forecast:
        """Tell how a probe goes that asks nobody."""
        pod, entry = self._state.pod, self._state.spec(container)
        words = self._words(entry)
        if kind is Kind.READINESS and not is_scripted(pod, entry, kind):
            said = self._around.runtime.readiness(container.id)
            if said is not None:
                return Forecast(SUCCESS if said else _UNREADY)
        return foresee(pod, entry, kind, self._began(container), now, words)

    def _began(self, container: ContainerState) -> float:
        """Return from when on a container's age counts, seconds since the epoch."""
        return container.started_at + self._around.runtime.lag(container.id)

    def answered(self, message: ProbeAnswered) -> bool:
        """Take in a result; tell whether a container changed."""
        worker = self._workers.get((message.name, message.kind))
        if worker is None or worker.id != message.id or worker.last is None:
            return False
        worker.job = None
        changed = self._take(worker, message.finding)
        if worker.probe.kind is Kind.READINESS or not worker.container.condemned:
            self._plan(worker, worker.last + worker.probe.period)
        return changed

    def _take(self, worker: _Worker, finding: Finding) -> bool:
        told = probes.describe(worker.probe.kind, finding)
        if told is not None:
            self._event(*told, worker.container)
        verdict = worker.probe.take(finding.outcome)
        return verdict is not None and probes.apply(worker.container, worker.probe.kind, verdict)
