"""Which flow a request belongs to, and how many seats its level has."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.resources.flowcontrol import (
    FlowRequest,
    default_flow_control,
    flow_of,
    levels_of,
    schema_matches,
)
from orchestrator.resources.flowcontrol.defaults import LEVELS, SCHEMAS
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object, name_of, spec_of
from orchestrator.resources.strategies import strategy_of
from orchestrator.resources.users import User

DEFAULTS = list(default_flow_control())
AUTHENTICATED = ("system:authenticated",)
ACCOUNT = User(
    "system:serviceaccount:team:build",
    groups=("system:serviceaccounts", "system:serviceaccounts:team", *AUTHENTICATED),
)
SYSTEM_ACCOUNT = User(
    "system:serviceaccount:kube-system:x",
    groups=("system:serviceaccounts", "system:serviceaccounts:kube-system", *AUTHENTICATED),
)


def first_match(user: User, request: FlowRequest) -> Object:
    """Return the default schema that a request belongs to."""
    schemas = [obj for key, obj in DEFAULTS if key.resource == SCHEMAS]
    schemas.sort(key=lambda obj: (spec_of(obj)["matchingPrecedence"], name_of(obj)))
    return next(schema for schema in schemas if schema_matches(schema, user, request))


@pytest.mark.parametrize(
    ("user", "request_", "schema", "flow"),
    [
        (User("a", groups=("system:masters",)), FlowRequest("get"), "exempt", ""),
        (User("jane", groups=AUTHENTICATED), FlowRequest("get", path="/healthz"), "probes", ""),
        (
            User("jane", groups=AUTHENTICATED),
            FlowRequest("list", "", "pods", "team"),
            "global-default",
            "jane",
        ),
        (ACCOUNT, FlowRequest("list", "", "pods"), "service-accounts", ACCOUNT.name),
        (
            SYSTEM_ACCOUNT,
            FlowRequest("update", "coordination.k8s.io", "leases", "kube-system"),
            "system-leader-election",
            SYSTEM_ACCOUNT.name,
        ),
        (
            SYSTEM_ACCOUNT,
            FlowRequest("list", "", "pods", "team"),
            "kube-system-service-accounts",
            "team",
        ),
        (
            User("system:node:n", groups=("system:nodes", *AUTHENTICATED)),
            FlowRequest("patch", "", "nodes/status"),
            "system-node-high",
            "system:node:n",
        ),
    ],
    ids=["admin", "probe", "user", "account", "election", "system account", "node"],
)
def test_a_request_belongs_to_the_first_schema_that_matches(
    user: User, request_: FlowRequest, schema: str, flow: str
) -> None:
    """The defaults, as upstream has them."""
    found = first_match(user, request_)
    assert (name_of(found), flow_of(found, user, request_)) == (schema, flow)


def limited(name: str, shares: int, **more: Any) -> Object:
    """A level."""
    part = {"nominalConcurrencyShares": shares, **more}
    return {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": part}}


def test_seats_are_shared_out_by_shares() -> None:
    """Rounded up, so that no level is left without one."""
    levels = levels_of([limited("a", 90), limited("b", 9), limited("c", 1)], 50)
    assert {name: level.seats for name, level in levels.items()} == {"a": 45, "b": 5, "c": 1}
    assert levels["a"].borrowed is None
    (level,) = levels_of([limited("a", 1, borrowingLimitPercent=50)], 10).values()
    assert level.borrowed == 5


def test_the_defaults_are_valid_objects() -> None:
    """So that a user can change them."""
    kinds = registry("1.35")
    assert len([key for key, _ in DEFAULTS if key.resource == LEVELS]) == 8
    for key, obj in DEFAULTS:
        strategy = strategy_of(kinds.by_key(key.resource))
        assert strategy.validate_create(strategy.default(obj)) == [], key
