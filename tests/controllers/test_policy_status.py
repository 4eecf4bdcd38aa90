"""The status of policies: how their expressions fit the kinds that they are about."""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.policies import PolicyStatusController, decide_status
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object

RESOURCE = "validatingadmissionpolicies.admissionregistration.k8s.io"


def policy(*expressions: str, resources: str = "deployments", **spec: Any) -> Object:
    """A policy about kinds of apps/v1."""
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": resources.split(),
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "p", "generation": 1},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": expression} for expression in expressions],
            **spec,
        },
    }


def warnings(made: Object) -> list[dict[str, str]]:
    """Return what the status is going to warn of."""
    (update,) = decide_status(made, registry("1.35")).update
    status = update.new["status"]
    assert status["observedGeneration"] == 1
    found: list[dict[str, str]] = status["typeChecking"].get("expressionWarnings", [])
    return found


@pytest.mark.parametrize(
    "expression",
    [
        "object.spec.replicas <= 5",
        "object.spec.template.spec.containers.all(c, c.image.startsWith('x'))",
        "object.metadata.labels.app == 'x' && has(object.spec.strategy.rollingUpdate)",
        "object.metadata.creationTimestamp < timestamp('2030-01-01T00:00:00Z')",
        "type(object.spec.strategy.rollingUpdate.maxSurge) == int",
        "object.spec.template.spec.containers[0].resources.limits['cpu'] == '1'",
        "object.metadata.__namespace__ == 'x'",
    ],
)
def test_an_expression_that_fits_is_not_warned_of(expression: str) -> None:
    """Types come from the published structure of the kind."""
    assert warnings(policy(expression)) == []


def test_a_field_that_is_not_there_is_warned_of() -> None:
    """With the kind, and the place as for any error."""
    assert warnings(policy("object.spec.replicas > 1", "object.spec.replica > 1")) == [
        {
            "fieldRef": "spec.validations[1].expression",
            "warning": "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'replica'\n"
            " | object.spec.replica > 1\n | ...........^\n",
        }
    ]


def test_every_kind_is_checked() -> None:
    """In the order of their names."""
    (warning,) = warnings(policy("object.spec.paused", resources="deployments daemonsets"))
    assert warning["warning"].startswith("apps/v1, Kind=DaemonSet: ERROR: <input>:1:12: undefined")
    assert "Deployment" not in warning["warning"]


def test_variables_have_the_types_of_the_object() -> None:
    """A variable that is wrong itself does not taint what uses it."""
    variables = [
        {"name": "size", "expression": "object.spec.replicas"},
        {"name": "wrong", "expression": "object.spec.nothing"},
    ]
    made = policy("variables.size.startsWith('x')", "variables.wrong == 1", variables=variables)
    (warning,) = warnings(made)
    assert "applied to 'int.(string)'" in warning["warning"]


def test_wildcards_are_not_checked() -> None:
    """There is no one structure to check against."""
    made = policy("object.nothing.at.all", resources="*")
    assert warnings(made) == []


def test_a_generation_is_checked_once() -> None:
    """With nothing to do nothing is done."""
    made = policy("true")
    (update,) = decide_status(made, registry("1.35")).update
    assert decide_status(update.new, registry("1.35")).update == []


@virtual
async def test_a_policy_gets_its_status(worlds: Any) -> None:
    """The controller writes it as soon as the policy comes."""
    async with worlds.world() as world:
        world.system.spawn(
            lambda: PolicyStatusController(world.store, world.recorded), "policy-status"
        )
        made = policy("object.spec.replica > 1")
        del made["metadata"]["generation"]
        await world.create(RESOURCE, made)
        await world.settle()
        status = world.store.get(RESOURCE, "", "p")["status"]
        assert status["observedGeneration"] == 1
        (warning,) = status["typeChecking"]["expressionWarnings"]
        assert "undefined field 'replica'" in warning["warning"]
