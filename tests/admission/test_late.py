"""Hooks of admission that are loaded with what configures the first of them."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.kinds import Kind, registry
from orchestrator.resources.objects import Object
from orchestrator.store.admission.hooks import AdmissionOperation, Attributes
from orchestrator.store.admission.late import LateHook

PODS = registry("1.35").by_key("pods")
WRITE = Attributes(operation="CREATE", kind=PODS, object={"kind": "Pod"})


class Configured:
    """A store that has what a test puts there."""

    def __init__(self) -> None:
        self.found: list[Object] = []

    def list(self, resource: str) -> list[Object]:
        assert resource == "hooks.example.com"
        return self.found


class Marking:
    """A hook that concerns creations, and notes what it looks at."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def concerns(self, operation: AdmissionOperation, kind: Kind, subresource: str) -> bool:
        return operation == "CREATE"

    async def mutate(self, attributes: Attributes) -> Object | None:
        return {"kind": "Pod", "spec": {}}

    async def validate(self, attributes: Attributes) -> None:
        self.seen.append(attributes.object)


async def test_nothing_is_loaded_while_nothing_is_configured() -> None:
    """A request goes on as it is."""
    late = LateHook(Configured(), "hooks.example.com", lambda: 1 / 0)  # type: ignore[arg-type,return-value]  # never called
    assert not late.concerns("CREATE", PODS, "")
    assert await late.mutate(WRITE) is WRITE.object
    await late.validate(WRITE)


async def test_a_hook_is_loaded_once_and_asked_from_then_on() -> None:
    """Also when its configuration is gone again: it says so itself."""
    store, made = Configured(), []

    def load() -> Marking:
        made.append(Marking())
        return made[-1]

    late = LateHook(store, "hooks.example.com", load)
    store.found.append({"metadata": {"name": "one"}})
    assert late.concerns("CREATE", PODS, "")
    assert not late.concerns("DELETE", PODS, "")
    assert await late.mutate(WRITE) == {"kind": "Pod", "spec": {}}
    await late.validate(WRITE)
    store.found.clear()
    assert late.concerns("CREATE", PODS, "")
    assert len(made) == 1
    assert made[0].seen == [WRITE.object]
