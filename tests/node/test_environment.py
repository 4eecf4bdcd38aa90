"""Environments: order, sources and what is said of references that lead nowhere."""

import base64
from typing import Any

import pytest

from orchestrator.node.environment import (
    ConfigError,
    PodFacts,
    command_of,
    container_environment,
    resource_value,
)

POD = {
    "metadata": {
        "name": "web-1",
        "namespace": "shop",
        "uid": "u-1",
        "labels": {"app": "web"},
        "annotations": {"note": "hello"},
    },
    "spec": {"nodeName": "node-1", "serviceAccountName": "robot", "containers": []},
}
FACTS = PodFacts(
    address="127.64.1.2",
    host="127.64.1.1",
    allocatable={"cpu": "2", "memory": "1Gi"},
    services={"DB_SERVICE_HOST": "127.96.0.9"},
    path="/bin",
)
ALWAYS = {"PATH": "/bin", "HOSTNAME": "web-1", "POD_IP": "127.64.1.2"}
SETTINGS = {"data": {"color": "green", "size": "L"}}
KEYS = {"data": {"token": base64.b64encode(b"s3cret").decode()}}


class Objects:
    def get(self, resource: str, namespace: str, name: str) -> dict[str, Any] | None:
        assert namespace == "shop"
        return {("configmaps", "settings"): SETTINGS, ("secrets", "keys"): KEYS}.get(
            (resource, name)
        )


def environment(**container: Any) -> dict[str, str]:
    """Compute the environment of a container with these fields."""
    return container_environment(POD, {"name": "c", **container}, FACTS, Objects())


def value_of(source: dict[str, Any]) -> str | None:
    """Compute the variable X from a source."""
    return environment(env=[{"name": "X", "valueFrom": source}]).get("X")


def test_a_container_without_env_gets_the_fixed_variables_and_services_only() -> None:
    """Nothing else of the daemon's environment leaks into a container."""
    assert environment() == {**ALWAYS, "DB_SERVICE_HOST": "127.96.0.9"}


def test_values_refer_to_what_stands_before_them() -> None:
    """Order matters: a later variable is not known yet."""
    found = environment(
        env=[
            {"name": "URL", "value": "http://$(DB_SERVICE_HOST):$(PORT)/$(POD_IP)"},
            {"name": "PORT", "value": "80"},
            {"name": "AGAIN", "value": "$(URL)$$(PORT)"},
        ]
    )
    assert found["URL"] == "http://127.96.0.9:$(PORT)/127.64.1.2"
    assert found["AGAIN"] == "http://127.96.0.9:$(PORT)/127.64.1.2$(PORT)"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "web-1"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['note']", "hello"),
        ("spec.nodeName", "node-1"),
        ("spec.serviceAccountName", "robot"),
        ("status.hostIP", "127.64.1.1"),
        ("status.podIP", "127.64.1.2"),
        ("status.podIPs", "127.64.1.2"),
    ],
)
def test_field_references_read_the_pod(path: str, expected: str) -> None:
    """Every field path of the downward API for variables."""
    assert value_of({"fieldRef": {"fieldPath": path}}) == expected


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        ("requests.cpu", None, "1"),
        ("requests.cpu", "1m", "250"),
        ("limits.memory", "1Mi", "64"),
        ("limits.cpu", None, "2"),
        ("requests.memory", None, "0"),
    ],
)
def test_resource_references_round_up_and_default_to_the_node(
    resource: str, divisor: str | None, expected: str
) -> None:
    """A missing limit is the node's allocatable, a missing request 0."""
    container = {
        "name": "c",
        "resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "64Mi"}},
    }
    reference = {"resource": resource, "divisor": divisor}
    assert resource_value(reference, POD, container, FACTS) == expected


def test_config_maps_and_secrets_give_single_values_and_whole_sets() -> None:
    """Keys, prefixes, and env winning over envFrom."""
    found = environment(
        envFrom=[
            {"configMapRef": {"name": "settings"}, "prefix": "CFG_"},
            {"secretRef": {"name": "keys"}},
            {"configMapRef": {"name": "absent", "optional": True}},
        ],
        env=[
            {"name": "CFG_size", "value": "XL"},
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}},
            {"name": "S", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
        ],
    )
    assert found["CFG_color"] == "green"
    assert found["CFG_size"] == "XL"
    assert (found["token"], found["C"], found["S"]) == ("s3cret", "green", "s3cret")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "x", "key": "k"}}, 'configmap "x" not found'),
        ({"secretKeyRef": {"name": "x", "key": "k"}}, 'secret "x" not found'),
        (
            {"configMapKeyRef": {"name": "settings", "key": "k"}},
            "couldn't find key k in ConfigMap shop/settings",
        ),
        (
            {"secretKeyRef": {"name": "keys", "key": "k"}},
            "couldn't find key k in Secret shop/keys",
        ),
        ({"fieldRef": {"fieldPath": "spec.nothing"}}, "unsupported fieldPath: spec.nothing"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(source: dict[str, Any], message: str) -> None:
    """In the kubelet's words."""
    with pytest.raises(ConfigError) as caught:
        value_of(source)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["absent", "settings"])
def test_an_optional_reference_that_leads_nowhere_sets_nothing(name: str) -> None:
    """Neither a missing object nor a missing key is an error then."""
    source = {"configMapKeyRef": {"name": name, "key": "k", "optional": True}}
    assert value_of(source) is None


def test_commands_and_arguments_are_expanded() -> None:
    """Both lists, with the container's own variables."""
    container = {"command": ["echo", "$(A)"], "args": ["$(A)$$(A)", "$(B)"]}
    assert command_of(container, {"A": "1"}) == ("echo", "1", "1$(A)", "$(B)")


def test_arguments_without_a_command_are_one() -> None:
    """As for an image without an entrypoint; whether they begin with a program is not looked at."""
    assert command_of({"args": ["$(A)", "y"]}, {"A": "x"}) == ("x", "y")
