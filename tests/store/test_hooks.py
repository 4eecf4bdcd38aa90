"""What policies and webhooks are asked before a write, whoever writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.resources.errors import StatusError, forbidden
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object, meta, with_meta
from orchestrator.resources.users import User
from orchestrator.store import Create, Delete, Modify, Store
from orchestrator.store.admission import AdmissionOperation, Attributes, Caller

MAPS: dict[str, Any] = {"resource": "configmaps", "namespace": "default"}


@dataclass
class Hook:
    """Notes what it is asked, changes what it is told to, refuses names that begin with no."""

    change: Callable[[Object], Object] | None = None
    before: Callable[[], Any] | None = None
    seen: list[Attributes] = field(default_factory=list)
    subresources: tuple[str, ...] = ("",)

    def concerns(self, operation: AdmissionOperation, kind: Kind, subresource: str) -> bool:
        del operation
        return kind.plural == "configmaps" and subresource in self.subresources

    async def mutate(self, attributes: Attributes) -> Object | None:
        if self.before is not None:
            await self.before()
        if self.change is None or attributes.object is None:
            return attributes.object
        return self.change(attributes.object)

    async def validate(self, attributes: Attributes) -> None:
        self.seen.append(attributes)
        if attributes.name.startswith("no"):
            raise forbidden("configmaps", attributes.name, "the hook says no")


def labelled(obj: Object) -> Object:
    """Change an object."""
    return with_meta(obj, labels={"by": "hook"})


@virtual
async def test_a_hook_changes_what_a_user_creates(kit: Any) -> None:
    """And sees the result with its defaults, the user and the options."""
    async with kit.opened() as store:
        hook = Hook(labelled)
        store.admission.hooks = (hook,)
        caller = Caller(User("jane"), {"kind": "CreateOptions"})
        made = await store.create(kit.config_map("a"), **MAPS, caller=caller)
        assert meta(made)["labels"] == {"by": "hook"}
        (seen,) = hook.seen
        assert (seen.operation, seen.name, seen.namespace) == ("CREATE", "a", "default")
        assert seen.object is not None
        assert meta(seen.object)["labels"] == {"by": "hook"}
        assert seen.caller.user.name == "jane"


@virtual
async def test_what_a_hook_makes_is_held_to_the_rules_of_its_kind(kit: Any) -> None:
    """A webhook can't smuggle in what upstream would refuse."""
    async with kit.opened() as store:
        store.admission.hooks = (Hook(lambda obj: {**obj, "data": {"not a key": "x"}}),)
        with pytest.raises(StatusError) as refused:
            await store.create(kit.config_map("a"), **MAPS)
        assert refused.value.code == 422


@virtual
async def test_a_hook_can_refuse_every_verb(kit: Any) -> None:
    """Create, update and delete; the object stays as it was."""
    async with kit.opened() as store:
        await store.create(kit.config_map("none", x="1"), **MAPS)
        store.admission.hooks = (Hook(),)
        for write in (
            store.create(kit.config_map("no"), **MAPS),
            store.modify("configmaps", "default", "none", lambda obj: {**obj, "data": {}}),
            store.delete("configmaps", "default", "none"),
        ):
            with pytest.raises(StatusError) as refused:
                await write
            assert refused.value.message.endswith("the hook says no")
        kept = store.get("configmaps", "default", "none")
        assert kept is not None
        assert kept["data"] == {"x": "1"}


@virtual
async def test_controllers_are_asked_about_too(kit: Any) -> None:
    """One refusal of a batch leaves the others alone; results keep their order."""
    async with kit.opened() as store:
        hook = Hook(labelled)
        await store.create(kit.config_map("b", x="1"), **MAPS)
        await store.create(kit.config_map("c"), **MAPS)
        store.admission.hooks = (hook,)
        made, refused, changed, deleted = await store.write(
            [
                Create("configmaps", kit.config_map("a")),
                Create("configmaps", kit.config_map("no")),
                Modify("configmaps", "default", "b", lambda obj: {**obj, "data": {"x": "2"}}),
                Delete("configmaps", "default", "c"),
            ]
        )
        assert isinstance(refused, StatusError)
        for result in (made, changed):
            assert not isinstance(result, StatusError)
            assert meta(result)["labels"] == {"by": "hook"}
        assert not isinstance(deleted, StatusError)
        assert store.get("configmaps", "default", "c") is None
        assert {seen.operation for seen in hook.seen} == {"CREATE", "UPDATE", "DELETE"}
        assert all(seen.caller.user.name.startswith("system:") for seen in hook.seen)


@virtual
async def test_a_change_that_raced_is_asked_about_again(kit: Any) -> None:
    """The hook sees, and the store keeps, what the other writer wrote meanwhile."""
    async with kit.opened() as store:
        await store.create(kit.config_map("a", x="1"), **MAPS)
        races = 2

        async def race() -> None:
            nonlocal races
            if races:
                races -= 1
                other = f"other{races}"
                await store.modify(
                    "configmaps",
                    "default",
                    "a",
                    lambda obj: {**obj, "data": {**obj["data"], other: "y"}},
                    admit=False,
                )

        hook = Hook(before=race)
        store.admission.hooks = (hook,)

        def add(obj: Object) -> Object:
            return {**obj, "data": {**obj["data"], "mine": "z"}}

        await store.modify("configmaps", "default", "a", add)
        races = 1
        (result,) = await store.write([Modify("configmaps", "default", "a", add)])
        assert not isinstance(result, StatusError)
        kept = store.get("configmaps", "default", "a")
        assert kept is not None
        assert kept["data"] == {"x": "1", "other0": "y", "other1": "y", "mine": "z"}


async def _endless(store: Store, kit: Any) -> None:
    await store.create(kit.config_map("a"), **MAPS)
    count = 0

    async def race() -> None:
        nonlocal count
        count += 1
        data = {"n": str(count)}
        change = Modify("configmaps", "default", "a", lambda obj: {**obj, "data": data})
        hooks, store.admission.hooks = store.admission.hooks, ()
        await store.write([change])
        store.admission.hooks = hooks

    store.admission.hooks = (Hook(before=race),)


@virtual
async def test_a_change_that_always_races_ends_in_a_conflict(kit: Any) -> None:
    """Nobody is asked without end."""
    async with kit.opened() as store:
        await _endless(store, kit)
        with pytest.raises(StatusError) as refused:
            await store.modify("configmaps", "default", "a", labelled)
        assert refused.value.reason == "Conflict"
        (result,) = await store.write([Modify("configmaps", "default", "a", labelled)])
        assert isinstance(result, StatusError)
        assert result.reason == "Conflict"


@virtual
async def test_hooks_that_are_not_concerned_are_not_asked(kit: Any) -> None:
    """A pod is nothing to a hook for ConfigMaps, nor a status to one for whole objects."""
    async with kit.opened() as store:
        hook = Hook(labelled)
        store.admission.hooks = (hook,)
        await store.create(kit.pod("a"), resource="pods", namespace="default")
        await store.modify(
            "pods",
            "default",
            "a",
            lambda pod: {**pod, "status": {"phase": "Running"}},
            subresource="status",
        )
        assert hook.seen == []


@virtual
@pytest.mark.parametrize("by", ["user", "actor"])
async def test_what_took_the_name_while_hooks_were_asked_is_not_deleted_unasked(
    kit: Any, by: str
) -> None:
    """A hook agreed to the removal of one object; its successor is another question."""
    async with kit.opened() as store:
        await store.create(kit.config_map("a"), **MAPS)
        swapped = False

        class Swapping(Hook):
            async def validate(self, attributes: Attributes) -> None:
                nonlocal swapped
                await super().validate(attributes)
                if attributes.operation != "DELETE":
                    return
                if meta(attributes.old or {}).get("labels"):
                    raise forbidden("configmaps", attributes.name, "it is protected")
                if not swapped:
                    swapped = True
                    store.admission.hooks = ()
                    await store.delete("configmaps", "default", "a")
                    await store.create(labelled(kit.config_map("a")), **MAPS)
                    store.admission.hooks = (self,)

        store.admission.hooks = (Swapping(),)
        if by == "user":
            with pytest.raises(StatusError, match="it is protected"):
                await store.delete("configmaps", "default", "a")
        else:
            (result,) = await store.write([Delete("configmaps", "default", "a")])
            assert isinstance(result, StatusError)
            assert "it is protected" in result.message
        assert store.get("configmaps", "default", "a") is not None


@virtual
async def test_a_deletion_that_others_never_let_through_is_a_conflict(kit: Any) -> None:
    """It is asked about again for each revision, some times and not for ever."""
    async with kit.opened() as store:
        await store.create(kit.config_map("a"), **MAPS)

        class Busy(Hook):
            async def validate(self, attributes: Attributes) -> None:
                await super().validate(attributes)
                count = str(len(self.seen))
                await store.modify(
                    "configmaps",
                    "default",
                    "a",
                    lambda one: {**one, "data": {"n": count}},
                    admit=False,
                )

        hook = Busy()
        store.admission.hooks = (hook,)
        with pytest.raises(StatusError) as refused:
            await store.delete("configmaps", "default", "a")
        assert (refused.value.code, len(hook.seen)) == (409, 10)
