"""Which of a Job's pods a look has to see: those that are not both over and counted.

A Job of 10,000 completions keeps 10,000 pods, of which only as many as run in parallel still
matter. A look at all of them, once for each that ends, would cost their square.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from orchestrator.controllers._pods import is_terminal
from orchestrator.controllers.job.pods import PODS, has_finalizer
from orchestrator.controllers.plans import Plan
from orchestrator.resources.objects import Object, name_of


def is_settled(pod: Object) -> bool:
    """Tell whether a pod is over and nothing of it is left to be counted."""
    return is_terminal(pod) and not has_finalizer(pod)


class Unsettled:
    """The pods of one Job that are not settled, by name.

    A name may be here whose pod is gone or somebody else's: who looks it up finds out.
    """

    __slots__ = ("_names",)

    def __init__(self, pods: Iterable[Object]) -> None:
        """Begin with all pods that the Job controls."""
        self._names = dict.fromkeys(name_of(pod) for pod in pods if not is_settled(pod))

    def __len__(self) -> int:
        return len(self._names)

    def see(self, name: str, pod: Object | None) -> None:
        """Take note of what a pod of the Job has become, None if it is gone or not its own."""
        if pod is None or is_settled(pod):
            self._names.pop(name, None)
        else:
            self._names[name] = None

    def expect(self, plan: Plan) -> None:
        """Have the next look see the pods of a plan, whatever comes first: event or answer."""
        created = (item.object for item in plan.create if item.resource == PODS)
        adopted = (item.base for item in plan.update if item.resource == PODS)
        for pod in chain(created, adopted):
            self._names[name_of(pod)] = None

    def names(self) -> list[str]:
        """Return the names, in the order in which they came."""
        return list(self._names)
