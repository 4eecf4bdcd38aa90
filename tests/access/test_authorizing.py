"""Decisions over a store that changes: the index against a plain look at every binding."""

from __future__ import annotations

import random
from typing import Any

import pytest

from actors import ActorSystem
from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.access import ALWAYS_ALLOW, RbacAuthorizer
from orchestrator.access.authorizing import BINDINGS, CLUSTER_BINDINGS, CLUSTER_ROLES, ROLES
from orchestrator.resources.kinds import registry
from orchestrator.resources.rbac import Attributes, allows
from orchestrator.resources.users import ADMIN, User
from orchestrator.store import Create, Delete, Modify, Store, WindowLimits

NAMES = ("a", "b", "c")
PLACES = ("default", "kube-system")
VERBS = ("get", "list", "create")
USERS = (
    User("jo", groups=("dev", "ops")),
    User("ann", groups=("ops",)),
    User("system:serviceaccount:default:a", groups=("system:serviceaccounts",)),
)
SUBJECTS: tuple[dict[str, str], ...] = (
    {"kind": "User", "name": "jo"},
    {"kind": "User", "name": "system:serviceaccount:default:a"},
    {"kind": "Group", "name": "dev"},
    {"kind": "Group", "name": "ops"},
    {"kind": "ServiceAccount", "name": "a", "namespace": "default"},
    {"kind": "ServiceAccount", "name": "a"},
)


def slowly(store: Store, user: User, asked: Attributes) -> bool:
    """Decide by looking at every binding and role there is."""
    bindings = store.list(CLUSTER_BINDINGS)
    if asked.namespace:
        bindings += store.list(BINDINGS, asked.namespace)
    for binding in bindings:
        place = binding["metadata"].get("namespace") or ""
        if not any(is_subject(user, one, place) for one in binding["subjects"]):
            continue
        reference = binding["roleRef"]
        resource, where = (ROLES, place) if reference["kind"] == "Role" else (CLUSTER_ROLES, "")
        role = store.get(resource, where, reference["name"])
        if role is not None and allows(role["rules"], asked):
            return True
    return False


def is_subject(user: User, subject: dict[str, str], place: str) -> bool:
    """Tell whether a subject of a binding in ``place`` is a user or a group of theirs."""
    name = subject["name"]
    if subject["kind"] == "Group":
        return name in user.groups
    if subject["kind"] == "User":
        return name == user.name
    namespace = subject.get("namespace") or place
    return bool(namespace) and user.name == f"system:serviceaccount:{namespace}:{name}"


def write(chance: random.Random, store: Store) -> Create | Modify | Delete:
    """Draw a change of some role or binding."""
    resource = chance.choice((CLUSTER_ROLES, ROLES, CLUSTER_BINDINGS, BINDINGS))
    place = chance.choice(PLACES) if resource in {ROLES, BINDINGS} else ""
    name = chance.choice(NAMES)
    if resource in {CLUSTER_ROLES, ROLES}:
        verbs = chance.sample(VERBS, chance.randint(1, 2))
        parts: dict[str, Any] = {
            "rules": [{"verbs": verbs, "apiGroups": [""], "resources": ["pods"]}]
        }
    else:
        kind = chance.choice(("Role", "ClusterRole")) if place else "ClusterRole"
        parts = {
            "roleRef": {"kind": kind, "name": chance.choice(NAMES)},
            "subjects": chance.choices(SUBJECTS, k=chance.randint(0, 3)),
        }
    if store.get(resource, place, name) is None:
        return Create(resource, {"metadata": {"name": name, "namespace": place}, **parts})
    if chance.random() < 0.4:
        return Delete(resource, place, name)
    return Modify(resource, place, name, lambda now: {**now, **parts})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kept", [100, 2], ids=["followed", "left behind"])
def test_the_index_decides_as_a_look_at_every_binding_does(seed: int, kept: int) -> None:
    """After any number of changes, also when the store keeps too few of them to follow."""
    chance = random.Random(seed)

    @virtual
    async def compare() -> None:
        async with ActorSystem("rbac", seed=seed) as system:
            limits = WindowLimits(events=kept)
            store = await Store.open(system, MemoryLog(), registry("1.35"), limits=limits)
            authorizer = RbacAuthorizer(store)
            for _ in range(25):
                for _ in range(chance.randint(1, 8)):
                    await store.write([write(chance, store)])
                for user in USERS:
                    for verb in VERBS:
                        for place in ("", *PLACES):
                            asked = Attributes(verb, resource="pods", namespace=place)
                            decided = authorizer.decide(user, asked).allowed
                            assert decided == slowly(store, user, asked), (user, asked)
            authorizer.close()

    compare()


@virtual
async def test_administrators_are_not_looked_up_and_modes_can_let_everyone_through() -> None:
    """No role can keep out who is in ``system:masters``."""
    async with ActorSystem("rbac", seed=1) as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        asked = Attributes("delete", resource="nodes", name="a")
        authorizer = RbacAuthorizer(store)
        assert authorizer.decide(ADMIN, asked).allowed
        assert authorizer._follower is None
        assert not authorizer.decide(USERS[0], asked).allowed
        assert ALWAYS_ALLOW.decide(USERS[0], asked).allowed
