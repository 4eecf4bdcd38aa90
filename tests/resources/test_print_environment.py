"""Service variables of a container's environment."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.service_environment import service_environment


def service(name: str, namespace: str = "default", ip: str = "127.96.0.7", *ports: Any) -> Any:
    """Return a Service."""
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": ip, "ports": list(ports)},
    }


KUBERNETES = service("kubernetes", "default", "127.96.0.1", {"name": "https", "port": 443})


def test_a_service_is_told_in_both_forms() -> None:
    """The Kubernetes form and the older links form, as the kubelet writes them."""
    web = service("my-web", "default", "127.96.0.7", {"name": "http-main", "port": 80}, {"port": 9})
    assert service_environment([web], "default", enable_links=True) == {
        "MY_WEB_SERVICE_HOST": "127.96.0.7",
        "MY_WEB_SERVICE_PORT": "80",
        "MY_WEB_SERVICE_PORT_HTTP_MAIN": "80",
        "MY_WEB_PORT": "tcp://127.96.0.7:80",
        "MY_WEB_PORT_80_TCP": "tcp://127.96.0.7:80",
        "MY_WEB_PORT_80_TCP_PROTO": "tcp",
        "MY_WEB_PORT_80_TCP_PORT": "80",
        "MY_WEB_PORT_80_TCP_ADDR": "127.96.0.7",
        "MY_WEB_PORT_9_TCP": "tcp://127.96.0.7:9",
        "MY_WEB_PORT_9_TCP_PROTO": "tcp",
        "MY_WEB_PORT_9_TCP_PORT": "9",
        "MY_WEB_PORT_9_TCP_ADDR": "127.96.0.7",
    }


def test_only_the_own_namespace_and_kubernetes_are_told() -> None:
    """Headless services have nothing to tell; without links only kubernetes is left."""
    services = [KUBERNETES, service("a", "n"), service("b", "other"), service("c", "n", "None")]
    hosts = {name for name in service_environment(services, "n", True) if name.endswith("_HOST")}
    assert hosts == {"KUBERNETES_SERVICE_HOST", "A_SERVICE_HOST"}
    hosts = {name for name in service_environment(services, "n", False) if name.endswith("_HOST")}
    assert hosts == {"KUBERNETES_SERVICE_HOST"}


def test_an_own_service_named_kubernetes_takes_precedence() -> None:
    """Whatever the order."""
    own = service("kubernetes", "n", "127.96.9.9")
    for services in ([KUBERNETES, own], [own, KUBERNETES]):
        found = service_environment(services, "n", True)
        assert found["KUBERNETES_SERVICE_HOST"] == "127.96.9.9"
