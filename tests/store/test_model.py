"""The store beside a plain dictionary: random histories, restarts, failures and followers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors import ActorSystem
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import with_meta
from orchestrator.resources.selectors import parse_label_selector
from orchestrator.store import Create, Delete, Expired, Modify, Store
from orchestrator.store.watching import select_event
from tests.store.conftest import FaultyLog, config_map

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(["1", "2"])
SELECTOR = parse_label_selector("v=1")
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["create", "modify", "delete", "hold", "release"]), NAMES, VALUES),
    min_size=1,
    max_size=5,
)


def labelled(name: str, value: str) -> Any:
    """An object whose label can be selected by."""
    return with_meta(config_map(name), labels={"v": value})


def operation_of(verb: str, name: str, value: str) -> Any:
    """What is proposed."""
    match verb:
        case "create":
            return Create("configmaps", labelled(name, value))
        case "delete":
            return Delete("configmaps", "default", name)
        case "modify":
            changes: dict[str, Any] = {"labels": {"v": value}}
        case "hold":
            changes = {"finalizers": ["example.com/hold"]}
        case _:
            changes = {"finalizers": None}
    return Modify("configmaps", "default", name, lambda obj: with_meta(obj, **changes))


def apply(model: dict[str, Any], verb: str, name: str, value: str) -> None:
    """The same on ``{name: [label, held, going]}``."""
    if verb == "create":
        model.setdefault(name, [value, False, False])
    elif name in model:
        entry = list(model[name])
        match verb:
            case "modify":
                entry[0] = value
            case "hold":
                entry[1] = True
            case "release":
                entry[1] = False
            case _:
                entry[2] = True
        if entry[2] and not entry[1]:
            del model[name]
        else:
            model[name] = entry


class StoreMachine(RuleBasedStateMachine):
    """Writes go to the store and to a dictionary; a follower folds what it is told."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.log = FaultyLog()
        self.model: dict[str, list[Any]] = {}
        self.followed: dict[str, Any] = {}
        self.selected: dict[str, Any] = {}
        self.last = self.place = 0
        self.loop.run_until_complete(self._open(None))

    async def _open(self, after: int | None) -> None:
        self.system = ActorSystem("model", seed=1)
        await self.system.__aenter__()
        self.store = await Store.open(self.system, self.log, registry())
        self.follower = self.store.follow(["configmaps"], lambda: None, after=after or 0)

    @rule(batches=st.lists(OPERATIONS, min_size=1, max_size=3))
    def write(self, batches: list[list[tuple[str, str, str]]]) -> None:
        """Some batches at once, in the order of their calls."""

        async def run() -> None:
            await asyncio.gather(
                *(self.store.write([operation_of(*one) for one in batch]) for batch in batches)
            )

        self.loop.run_until_complete(run())
        for batch in batches:
            for one in batch:
                apply(self.model, *one)

    @rule(batch=OPERATIONS)
    def fail(self, batch: list[tuple[str, str, str]]) -> None:
        """The log refuses; nothing has happened."""
        self.log.refuse = 1

        async def run() -> Any:
            return await asyncio.gather(
                self.store.write([operation_of(*one) for one in batch]), return_exceptions=True
            )

        (result,) = self.loop.run_until_complete(run())
        # A batch that changes nothing does not reach the log.
        refused = isinstance(result, StatusError) and result.code == 503
        assert refused == (self.log.refuse == 0)
        self.log.refuse = 0

    @rule()
    def restart(self) -> None:
        """Everything in memory is lost; the follower goes on from its place."""
        self.take()
        self.loop.run_until_complete(self.system.__aexit__(None, None, None))
        self.loop.run_until_complete(self._open(self.place))

    @rule()
    def compact(self) -> None:
        """The history becomes a snapshot."""
        self.take()
        self.loop.run_until_complete(self.store.compact())

    @rule()
    def take(self) -> None:
        """Fold the events, all of them and those of the selection."""
        matches = lambda obj: SELECTOR.matches(obj["metadata"].get("labels"))  # noqa: E731 - short
        try:
            events = self.follower.take()
        except Expired as expired:
            raise AssertionError("the window is large enough") from expired
        self.place = self.follower.sequence
        for event in events:
            assert event.sequence > self.last
            self.last = event.sequence
            name = event.key.name
            assert event.previous == self.followed.get(name)
            assert event.object["metadata"]["resourceVersion"] == str(event.sequence)
            _fold(self.followed, event.type, name, event.object)
            seen = select_event(event, None, matches)
            if seen is not None:
                assert (seen.type == "ADDED") == (name not in self.selected)
                _fold(self.selected, seen.type, name, seen.object)

    @invariant()
    def agrees(self) -> None:
        """The store is the model; the follower's fold is the store."""
        if not hasattr(self, "store"):
            return
        objects = {obj["metadata"]["name"]: obj for obj in self.store.list("configmaps")}
        found = {
            name: [
                obj["metadata"]["labels"]["v"],
                bool(obj["metadata"].get("finalizers")),
                "deletionTimestamp" in obj["metadata"],
            ]
            for name, obj in objects.items()
        }
        assert found == self.model
        self.take()
        assert self.followed == objects
        assert self.selected == {
            name: obj for name, obj in objects.items() if obj["metadata"]["labels"]["v"] == "1"
        }

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            with contextlib.closing(self.loop):
                self.loop.run_until_complete(self.system.__aexit__(None, None, None))


def _fold(state: dict[str, Any], type_: str, name: str, obj: Any) -> None:
    if type_ == "DELETED":
        assert name in state
        del state[name]
    else:
        assert (type_ == "ADDED") == (name not in state)
        state[name] = obj


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
