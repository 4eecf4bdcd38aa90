"""The controller of HorizontalPodAutoscalers: one timer for each, and nothing without any."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import field
from typing import Any, Final

from orchestrator.controllers.autoscaler.behaviours import (
    Memory,
    behaviour_of,
    remember_change,
)
from orchestrator.controllers.autoscaler.core import (
    Rescale,
    Target,
    Verdict,
    decide_autoscaler,
    decide_without_target,
    needs_metrics,
)
from orchestrator.controllers.autoscaler.evaluating import Answer
from orchestrator.controllers.autoscaler.pods import PodIndex
from orchestrator.controllers.autoscaler.questions import question_of
from orchestrator.controllers.autoscaler.settings import AutoscalerSettings
from orchestrator.controllers.autoscaler.source import MetricsError, MetricsSource
from orchestrator.controllers.autoscaler.targets import (
    Scaled,
    Selectors,
    TargetError,
    find_scaled,
    kinds_of,
)
from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.records import dataclass
from orchestrator.resources.conversions.autoscalers import convert
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key, Object, labels_of, spec_of, status_of
from orchestrator.resources.scales import scaling_of
from orchestrator.resources.selectors import SelectorError, parse_label_selector
from orchestrator.store import ObjectEvent, Store

RESOURCE: Final = "horizontalpodautoscalers.autoscaling"
_V2: Final = "autoscaling/v2"


@dataclass(slots=True)
class _Autoscaler:
    """What is known of one autoscaler.

    Attributes:
        next_sync: Monotonic seconds of the next look.
        memory: Of the past.
        answers: Of the metrics APIs, once they are there.
        asking: Whether they are being asked.
        changing: The decision whose change of the target is under way.
        refused: Why that change was refused.
    """

    next_sync: float
    memory: Memory = field(default_factory=Memory)
    answers: list[Answer] | None = None
    asking: bool = False
    changing: tuple[Verdict, Rescale] | None = None
    refused: str = ""


class AutoscalerController(Controller[Key]):
    """Sets the replicas of what autoscalers aim at.

    Each autoscaler is looked at once in a period, by its own timer. A look asks the metrics APIs
    for all of its metrics at once; what they answer comes as one message.
    """

    resources = (RESOURCE,)

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        metrics: MetricsSource,
        settings: AutoscalerSettings | None = None,
    ) -> None:
        super().__init__(store, recorder)
        self._metrics = metrics
        self._settings = settings or AutoscalerSettings()
        self._pods: PodIndex | None = None

    def reset(self) -> None:
        """Look at all autoscalers anew; what is remembered of those that are left stays."""
        known: dict[Key, _Autoscaler] = getattr(self, "_known", {})
        self._known = {key: one for key, one in known.items() if self.store.get(*key) is not None}
        self._selectors = Selectors()

    def stopped(self) -> None:
        """Stop following."""
        super().stopped()
        if self._pods is not None:
            self._pods.close()

    def observe(self, event: ObjectEvent) -> None:
        """Take note of an autoscaler that comes or goes; changes are seen at the next look."""
        if event.type == "DELETED":
            self._known.pop(event.key, None)
            self._selectors.drop(event.key.namespace, event.key.name)
        elif event.key not in self._known:
            due = self.context.clock.monotonic() + self._settings.sync_period
            self._known[event.key] = _Autoscaler(due)
            self.queue.mark(event.key)

    def learned(self, key: Key, value: Any) -> None:
        """Keep what the metrics APIs answered."""
        known = self._known.get(key)
        if known is None or not known.asking:
            return
        known.asking = False
        if isinstance(value, list):
            known.answers = value
            return
        self.context.log.error("metrics could not be asked", key=str(key), error=str(value))
        known.next_sync = self.context.clock.monotonic() + self._settings.sync_period

    def failed(self, key: Key, item: Creation | Update | Deletion, error: StatusError) -> None:
        """Remember why a target could not be changed."""
        known = self._known.get(key)
        if known is None or item.resource == RESOURCE:
            return
        known.refused = error.message

    # -- a look ----------------------------------------------------------------------------

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Look at one autoscaler if it is time, or go on with a look that has begun."""
        known, stored = self._known.get(key), self.store.get(*key)
        if known is None or stored is None:
            return None
        autoscaler = convert(stored, _V2) if stored["apiVersion"] != _V2 else stored
        if known.changing is not None:
            return self._conclude(key, known, stored, autoscaler)
        moment = self.context.clock.monotonic()
        if known.asking:
            return None
        plan = Plan()
        if known.answers is None and moment < known.next_sync:
            plan.look_again(known.next_sync - moment)
            return plan
        try:
            scaled = find_scaled(self.store, key.namespace, spec_of(autoscaler)["scaleTargetRef"])
        except TargetError as error:
            verdict = decide_without_target(autoscaler, str(error), now)
            return self._end(known, stored, verdict, moment)
        target, selector = self._target(key, scaled)
        if needs_metrics(autoscaler, target) and known.answers is None:
            known.asking = True
            self.learn(key, self._ask(autoscaler, key.namespace, selector, target.pods))
            return None
        answers, known.answers = known.answers or [], None
        metrics = spec_of(autoscaler).get("metrics") or ()
        if needs_metrics(autoscaler, target) and len(answers) != len(metrics):
            known.next_sync = moment  # its metrics were changed meanwhile: ask again
            self.queue.mark(key)
            return None
        verdict = decide_autoscaler(
            autoscaler, target, answers, known.memory, self._settings, now, moment
        )
        if verdict.rescale is None:
            return self._end(known, stored, verdict, moment)
        return self._begin_change(known, stored, scaled, verdict)

    def _target(self, key: Key, scaled: Scaled) -> tuple[Target, str]:
        scale = scaled.scale
        replicas = spec_of(scale).get("replicas") or 0
        status = status_of(scale)
        text = status.get("selector") or ""
        problem, pods = None, []
        if not text:
            missing = "the HPA target's scale is missing a selector"
            problem = "SelectorRequired", "selector is required", "InvalidSelector", missing
        else:
            try:
                selector = parse_label_selector(text)
            except SelectorError as error:
                why = (
                    "couldn't convert selector into a corresponding internal selector object: "
                    f"{error}"
                )
                problem = "InvalidSelector", why, "InvalidSelector", why
            else:
                self._selectors.put(key.namespace, key.name, selector)
                if self._pods is None:
                    self._pods = PodIndex(self.store)
                pods = self._pods.select(key.namespace, selector)
                rivals = self._selectors.of_pods(key.namespace, map(labels_of, pods))
                if len(rivals) > 1:
                    why = (
                        f"pods by selector {text} are controlled by multiple HPAs: "
                        f"[{' '.join(rivals)}]"
                    )
                    problem = "AmbiguousSelector", why, "AmbiguousSelector", why
        return Target(replicas, status.get("replicas") or 0, pods, problem), text

    async def _ask(
        self, autoscaler: Object, namespace: str, selector: str, pods: Sequence[Object]
    ) -> list[Answer]:
        metrics = spec_of(autoscaler).get("metrics") or ()
        asked = [self._ask_one(one, namespace, selector, pods) for one in metrics]
        if len(asked) == 1:
            return [await asked[0]]
        return list(await asyncio.gather(*asked))

    async def _ask_one(
        self, metric: Object, namespace: str, selector: str, pods: Sequence[Object]
    ) -> Answer:
        try:
            question = question_of(metric, namespace, selector, self._plural_of)
            return await self._metrics.read(question, pods)
        except (MetricsError, SelectorError) as error:
            return error

    def _plural_of(self, version: str, kind: str) -> str:
        group, slash, _ = version.partition("/")
        found = kinds_of(self.store.registry, group if slash else "", kind)
        if not found:
            raise MetricsError(f'no matches for kind "{kind}" in group "{group if slash else ""}"')
        return found[0].resource

    # -- what comes of it ------------------------------------------------------------------

    def _begin_change(
        self, known: _Autoscaler, stored: Object, scaled: Scaled, verdict: Verdict
    ) -> Plan:
        """Change the target; the status is written once it is known what came of that."""
        rescale = verdict.rescale
        assert rescale is not None
        known.changing, known.refused = (verdict, rescale), ""
        scale = {**scaled.scale, "spec": {"replicas": rescale.after}}
        new = scaling_of(scaled.kind).write(scaled.object, scale)
        plan = Plan(requeue_after=0.0)
        message = f"New size: {rescale.after}; reason: {rescale.reason}"
        event = Emit(stored, "Normal", "SuccessfulRescale", message)
        plan.update.append(Update(scaled.kind.resource, scaled.object, new, "scale", event))
        return plan

    def _conclude(
        self, key: Key, known: _Autoscaler, stored: Object, autoscaler: Object
    ) -> Plan | None:
        assert known.changing is not None
        (verdict, rescale), known.changing = known.changing, None
        moment = self.context.clock.monotonic()
        if known.refused:
            verdict.not_scaled(rescale, known.refused)
            return self._end(known, stored, verdict, moment)
        if not self._is_changed(autoscaler, key.namespace, rescale):
            known.next_sync = moment  # somebody else was faster: decide anew
            self.queue.mark(key)
            return None
        verdict.scaled(rescale)
        behaviour = behaviour_of(autoscaler, self._settings)
        remember_change(rescale.before, rescale.after, behaviour, known.memory, moment)
        return self._end(known, stored, verdict, moment)

    def _is_changed(self, autoscaler: Object, namespace: str, rescale: Rescale) -> bool:
        try:
            reference = spec_of(autoscaler)["scaleTargetRef"]
            scale = find_scaled(self.store, namespace, reference).scale
        except TargetError:
            return False
        return bool((spec_of(scale).get("replicas") or 0) == rescale.after)

    def _end(self, known: _Autoscaler, stored: Object, verdict: Verdict, moment: float) -> Plan:
        """Say what there is to say, and look again in a period."""
        known.answers = None
        known.next_sync = moment + self._settings.sync_period
        plan = Plan(requeue_after=self._settings.sync_period)
        plan.events += [Emit(stored, *said) for said in verdict.events]
        current = convert(stored, _V2) if stored["apiVersion"] != _V2 else stored
        if verdict.status != status_of(current):
            new = {**current, "status": verdict.status}
            if stored is not current:
                new = convert(new, stored["apiVersion"])
            plan.update.append(Update(RESOURCE, stored, new, "status"))
        return plan
