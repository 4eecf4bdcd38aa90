"""What can be waited for: ``kubectl wait``'s conditions, rollouts, and functions. Pure."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from orchestrator.embedded.waiting.paths import NOTHING, PREFIX, read_path
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.objects import Object, spec_of, status_of

Condition: TypeAlias = str | Callable[[Object], Any]
"""``Available``, ``Available=False``, ``delete``, ``exists``, ``rollout``,
``jsonpath={.status.phase}=Running``, or a function of the object."""

Check: TypeAlias = Callable[[Object | None], Any]
"""Tells of an object, None while it does not exist, whether the wait is over."""

_WORDS: Final = ("", "delete", "deleted", "exists", "create", "created", "rollout")
_WIDTH: Final = 200
"""Characters of a value that are shown."""


def check_of(condition: Condition) -> Check:
    """Return what tells whether a condition holds.

    Raises:
        ValueError: It cannot be read.
    """
    if callable(condition):
        if inspect.iscoroutinefunction(condition):
            raise ValueError(
                f"{getattr(condition, '__name__', condition)} is async: a condition is asked in "
                "between and has the object; clock.advance_until takes async ones"
            )
        return lambda obj: obj is not None and _answer(condition, obj)
    if not isinstance(condition, str):
        raise TypeError(f"cannot wait for {condition!r}: give a text or a function")
    text = condition.removeprefix("condition=").strip()
    if text in ("delete", "deleted"):
        return lambda obj: obj is None
    if text in ("exists", "create", "created"):
        return lambda obj: obj is not None
    if text == "rollout":
        return lambda obj: obj is not None and is_rolled_out(obj)
    if text.startswith(PREFIX):
        return read_path(text).holds
    name, _, value = text.partition("=")
    if not name or not name[0].isalpha() or name == "jsonpath":
        raise ValueError(
            f"cannot wait for {condition!r}: give a condition's type (Available), 'delete', "
            "'exists', 'rollout', 'jsonpath={.status.phase}=Running' or a function"
        )
    wanted = (value or "True").lower()
    return lambda obj: obj is not None and _has(obj, name, wanted)


def _answer(condition: Callable[[Object], Any], obj: Object) -> Any:
    said = condition(obj)
    if inspect.isawaitable(said):
        if inspect.iscoroutine(said):
            said.close()
        raise ValueError(
            f"{getattr(condition, '__name__', condition)} returned something to be awaited, which "
            "is not an answer: a condition is asked in between and has the object; "
            "clock.advance_until takes async ones"
        )
    return said


def _has(obj: Object, name: str, wanted: str) -> bool:
    observed = status_of(obj).get("observedGeneration")
    generation = obj["metadata"].get("generation")
    if observed is not None and generation is not None and observed < generation:
        return False  # what the status says is about an older spec
    found = find_condition(obj, name)
    if found is None:
        kinds = (each for each in status_of(obj).get("conditions") or ())
        found = next((each for each in kinds if each.get("type", "").lower() == name.lower()), None)
    return found is not None and str(found.get("status", "")).lower() == wanted


def is_rolled_out(obj: Object) -> bool:
    """Tell what ``kubectl rollout status`` waits for, of workloads that roll out.

    Source of the rules: k8s.io/kubectl/pkg/polymorphichelpers (rollout_status.go).

    Raises:
        ValueError: It does not roll out by itself: it waits for its pods to be deleted.
    """
    spec, status = spec_of(obj), status_of(obj)
    update = spec.get("updateStrategy") or {}
    if update.get("type") == "OnDelete":
        raise ValueError("rollout status is only available for RollingUpdate strategy type")
    if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
        return False
    if obj["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        return bool(
            status.get("updatedNumberScheduled", 0) >= wanted
            and status.get("numberAvailable", 0) >= wanted
        )
    wanted = spec.get("replicas", 1)
    if obj["kind"] == "StatefulSet":
        kept = (update.get("rollingUpdate") or {}).get("partition") or 0
        return bool(
            status.get("readyReplicas", 0) >= wanted
            and status.get("updatedReplicas", 0) >= wanted - kept
            and (kept or status.get("currentRevision") == status.get("updateRevision"))
        )
    updated = status.get("updatedReplicas", 0)
    return bool(
        updated >= wanted
        and status.get("replicas", 0) <= updated
        and status.get("availableReplicas", 0) >= updated
    )


def describe_state(obj: Object | None, condition: Condition = "") -> str:
    """Say in a line how an object stands, for who waited for a condition in vain."""
    if obj is None:
        return "it does not exist"
    asked = list(_asked_for(obj, condition))
    said = [*_of_its_going(obj), *_of_its_parts(obj)]
    status = status_of(obj)
    if phase := status.get("phase"):
        said.append(f"phase {phase}")
    said += [
        f"{each.get('type')}={each.get('status')}"
        + (f" ({each['reason']})" if each.get("reason") else "")
        for each in status.get("conditions") or ()
    ]
    if not said and not (asked and _is_path(condition)):
        said.append(f"its status is {_shortened(status)}" if status else "it has no status")
    return "; ".join([*asked, *said])


def _is_path(condition: Condition) -> bool:
    return isinstance(condition, str) and condition.startswith(PREFIX)


def _asked_for(obj: Object, condition: Condition) -> Iterator[str]:
    if not isinstance(condition, str):
        return
    text = condition.removeprefix("condition=").strip()
    if text.startswith(PREFIX):
        path = read_path(text)
        found = path.value_in(obj)
        yield f"{{{path.path}}} is {'not there' if found is NOTHING else _shortened(found)}"
        return
    name = text.partition("=")[0]
    status = status_of(obj)
    there = [str(each.get("type")) for each in status.get("conditions") or ()]
    if name in _WORDS or not status or name.lower() in map(str.lower, there):
        return
    from orchestrator.embedded.waiting.possible import CONDITIONS, not_seen

    if name in CONDITIONS.get(str(obj.get("kind")), ()):
        return  # it has it as soon as it comes so far
    yield not_seen(str(obj.get("kind")), name, there, str(status.get("phase") or ""))


def _of_its_going(obj: Object) -> Iterator[str]:
    if obj["metadata"].get("deletionTimestamp"):
        held = ", ".join(obj["metadata"].get("finalizers") or ())
        yield "being deleted" + (f", held by the finalizers {held}" if held else "")


def _of_its_parts(obj: Object) -> Iterator[str]:
    """Tell how many of a workload's pods are ready, and what a pod's containers wait for."""
    status = status_of(obj)
    if "replicas" in spec_of(obj) and ("replicas" in status or "readyReplicas" in status):
        yield f"{status.get('readyReplicas', 0)} of {spec_of(obj)['replicas']} ready"
    for container in status.get("containerStatuses") or ():
        for state in ("waiting", "terminated"):
            found = (container.get("state") or {}).get(state) or {}
            if found.get("reason"):
                yield f"container {container.get('name')}: {state}, {found['reason']}"


def _shortened(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
