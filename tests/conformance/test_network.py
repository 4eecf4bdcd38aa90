"""Services, endpoints and their slices, and what else the network's API says."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from actors.testing import run_virtual, virtual
from orchestrator.controllers import ApiEndpoint, ensure_bootstrap
from tests.conformance.cluster import STRATEGIC_PATCH, Api, served

SERVICES = "/api/v1/namespaces/default/services"
ENDPOINTS = "/api/v1/namespaces/default/endpoints"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
PODS = "/api/v1/namespaces/default/pods"


def pod(name: str, *ports: int) -> dict[str, Any]:
    """A pod with ports."""
    container = {
        "name": "main",
        "image": "agnhost",
        "ports": [{"containerPort": port, "name": f"p{port}"} for port in ports],
    }
    return {
        "metadata": {"name": name, "labels": {"app": "served", "who": name}},
        "spec": {"containers": [container]},
    }


def ports_of(endpoints: dict[str, Any]) -> dict[str, list[int]]:
    """Return the ports by the name of the pod that serves them."""
    found: dict[str, list[int]] = {}
    for subset in endpoints.get("subsets") or []:
        for address in subset.get("addresses") or []:
            name = address["targetRef"]["name"]
            found.setdefault(name, []).extend(one["port"] for one in subset["ports"])
    return found


def protocols(endpoints: dict[str, Any]) -> list[str]:
    """Return the protocols of the ports."""
    subsets = endpoints.get("subsets") or []
    return sorted(port["protocol"] for one in subsets for port in one["ports"])


def is_served_by(protocol: str, endpoints: dict[str, Any]) -> bool:
    """Tell whether the endpoints are of one protocol alone."""
    return protocols(endpoints) == [protocol]


async def serve(api: Api, *pods: dict[str, Any]) -> None:
    """Create pods."""
    for one in pods:
        await api.create(PODS, one)


@virtual
async def test_the_apis_own_service_is_there() -> None:
    """Upstream: Kubernetes Service; Find Kubernetes Service; EndpointSlice API (API server)."""
    async with served(nodes=0) as api:
        store, services = api.cluster.store, str(api.cluster.service_range)
        endpoint = ApiEndpoint(address="192.0.2.1", port=6443, service_range=services)
        await ensure_bootstrap(store, endpoint)
        service = await api.get(f"{SERVICES}/kubernetes")
        (subset,) = (await api.get(f"{ENDPOINTS}/kubernetes"))["subsets"]
        assert [one["ip"] for one in subset["addresses"]] == ["192.0.2.1"]
        (sliced,) = await api.items(f"{SLICES}?labelSelector=kubernetes.io/service-name=kubernetes")
        assert sliced["endpoints"][0]["addresses"] == ["192.0.2.1"]
        assert sliced["ports"][0]["port"] == subset["ports"][0]["port"] == 6443
        (port,) = service["spec"]["ports"]
        assert (port["name"], port["port"], port["protocol"]) == ("https", 443, "TCP")
        everywhere = await api.items("/api/v1/services")
        assert [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in everywhere] == [
            ("default", "kubernetes")
        ]


@virtual
async def test_endpoints_follow_the_pods_of_a_service() -> None:
    """Upstream: Service, endpoints; EndpointSlice API (selector specified)."""
    async with served() as api:
        spec = {
            "selector": {"app": "served"},
            "ports": [{"port": 80, "targetPort": 80}],
        }
        await api.create(SERVICES, {"metadata": {"name": "test2"}, "spec": spec})
        where = f"{ENDPOINTS}/test2"
        await api.until(where, lambda found: "metadata" in found and not ports_of(found))
        await serve(api, pod("pod1", 80))
        await api.until(where, lambda found: ports_of(found) == {"pod1": [80]})
        await serve(api, pod("pod2", 80))
        await api.until(where, lambda found: ports_of(found) == {"pod1": [80], "pod2": [80]})
        (sliced,) = await api.items(f"{SLICES}?labelSelector=kubernetes.io/service-name=test2")
        assert {one["targetRef"]["name"] for one in sliced["endpoints"]} == {"pod1", "pod2"}
        label = sliced["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"]
        assert label == "endpointslice-controller.k8s.io"
        assert sliced["metadata"]["ownerReferences"][0]["name"] == "test2"
        await api.delete(f"{PODS}/pod1")
        await api.until(where, lambda found: ports_of(found) == {"pod2": [80]})
        await api.delete(f"{PODS}/pod2")
        await api.until(where, lambda found: not ports_of(found))
        await api.delete(f"{SERVICES}/test2")
        await api.gone(where)
        await api.until(
            f"{SLICES}?labelSelector=kubernetes.io/service-name=test2",
            lambda found: not found["items"],
        )


@virtual
async def test_a_service_of_several_ports_is_served_by_those_who_have_them() -> None:
    """Upstream: Service, endpoints with multiple ports; Endpoints and EndpointSlices for Pods."""
    async with served() as api:
        spec = {
            "selector": {"app": "served"},
            "ports": [
                {"name": "one", "port": 80, "targetPort": "p100"},
                {"name": "two", "port": 81, "targetPort": "p101"},
            ],
        }
        await api.create(SERVICES, {"metadata": {"name": "multi"}, "spec": spec})
        where = f"{ENDPOINTS}/multi"
        await serve(api, pod("pod1", 100))
        await api.until(where, lambda found: ports_of(found) == {"pod1": [100]})
        await serve(api, pod("pod2", 101))
        await api.until(where, lambda found: ports_of(found) == {"pod1": [100], "pod2": [101]})
        await api.delete(f"{PODS}/pod1")
        await api.until(where, lambda found: ports_of(found) == {"pod2": [101]})


@virtual
async def test_one_port_is_served_in_two_protocols() -> None:
    """Upstream: Service, should serve endpoints on same port and different protocols (API part)."""
    async with served() as api:
        both = [
            {"name": "tcp", "port": 80, "protocol": "TCP"},
            {"name": "udp", "port": 80, "protocol": "UDP"},
        ]
        made = await api.create(
            SERVICES,
            {"metadata": {"name": "two"}, "spec": {"selector": {"app": "served"}, "ports": both}},
        )
        await serve(api, pod("pod1", 80))

        await api.until(f"{ENDPOINTS}/two", lambda found: protocols(found) == ["TCP", "UDP"])
        for kept in both:
            made = await api.get(f"{SERVICES}/two")
            made["spec"]["ports"] = [kept]
            await api.put(f"{SERVICES}/two", made)
            wanted = functools.partial(is_served_by, str(kept["protocol"]))
            await api.until(f"{ENDPOINTS}/two", wanted)


@pytest.mark.parametrize("type_", ["ClusterIP", "NodePort"])
def test_a_service_changes_its_type(type_: str) -> None:
    """Upstream: Service, change type, ExternalName to ClusterIP/NodePort and back."""

    async def change() -> None:
        async with served(nodes=0) as api:
            spec = {"type": "ExternalName", "externalName": "example.com"}
            made = await api.create(SERVICES, {"metadata": {"name": "a"}, "spec": spec})
            assert not made["spec"].get("clusterIP")
            made["spec"] = {**made["spec"], "type": type_, "ports": [{"port": 80}]}
            del made["spec"]["externalName"]
            changed = await api.put(f"{SERVICES}/a", made)
            assert changed["spec"]["clusterIP"].startswith("10.96.")
            assert ("nodePort" in changed["spec"]["ports"][0]) is (type_ == "NodePort")
            address = changed["spec"]["clusterIP"]
            for field in ("clusterIP", "clusterIPs"):
                del changed["spec"][field]
            for port in changed["spec"]["ports"]:
                port.pop("nodePort", None)
            changed["spec"] |= {"type": "ExternalName", "externalName": "foo.example.com"}
            back = await api.put(f"{SERVICES}/a", changed)
            assert not back["spec"].get("clusterIP")
            assert "nodePort" not in back["spec"]["ports"][0]
            again = {"clusterIP": address, "ports": [{"port": 1}]}
            await api.create(SERVICES, {"metadata": {"name": "b"}, "spec": again})

    run_virtual(change())


@virtual
async def test_the_affinity_of_a_service_is_switched() -> None:
    """Upstream: Service, session affinity (the API's part)."""
    async with served(nodes=0) as api:
        spec = {"type": "NodePort", "sessionAffinity": "ClientIP", "ports": [{"port": 80}]}
        made = await api.create(SERVICES, {"metadata": {"name": "a"}, "spec": spec})
        assert made["spec"]["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
        off = await api.patch(
            f"{SERVICES}/a", {"spec": {"sessionAffinity": "None", "sessionAffinityConfig": None}}
        )
        assert off["spec"]["sessionAffinity"] == "None"
        on = await api.patch(f"{SERVICES}/a", {"spec": {"sessionAffinity": "ClientIP"}})
        assert on["spec"]["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}


@virtual
async def test_a_services_status_lives_its_life() -> None:
    """Upstream: Service, complete ServiceStatus lifecycle."""
    async with served(nodes=0) as api, api.watching(f"{SERVICES}?labelSelector=t=s") as watch:
        spec = {"type": "LoadBalancer", "ports": [{"name": "http", "port": 80}]}
        made = await api.create(
            SERVICES, {"metadata": {"name": "a", "labels": {"t": "s"}}, "spec": spec}
        )
        assert made["status"] == {"loadBalancer": {}}
        ingress = {"ip": "203.0.113.1"}
        patch = {
            "metadata": {"annotations": {"patchedstatus": "true"}},
            "status": {"loadBalancer": {"ingress": [ingress]}},
        }
        patched = await api.patch(f"{SERVICES}/a/status", patch)
        assert patched["status"]["loadBalancer"]["ingress"] == [{**ingress, "ipMode": "VIP"}]
        condition = {
            "type": "StatusUpdate",
            "status": "True",
            "reason": "E2E",
            "message": "Set from e2e test",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        patched["status"]["conditions"] = [condition]
        await api.put(f"{SERVICES}/a/status", patched)
        await api.patch(
            f"{SERVICES}/a", {"metadata": {"labels": {"p": "yes"}}}, form=STRATEGIC_PATCH
        )
        await api.delete(f"{SERVICES}/a")
        await watch.count(5)
        assert watch.types == ["ADDED", "MODIFIED", "MODIFIED", "MODIFIED", "DELETED"]
        assert watch.events[2]["object"]["status"]["conditions"] == [condition]


@virtual
async def test_endpoints_live_their_life_by_label() -> None:
    """Upstream: Endpoint resource lifecycle."""
    async with served(nodes=0) as api:
        where = f"{ENDPOINTS}?labelSelector=test=e"
        async with api.watching(where) as watch:
            subset = {"addresses": [{"ip": "10.0.0.24"}], "ports": [{"name": "http", "port": 80}]}
            made = await api.create(
                ENDPOINTS,
                {"metadata": {"name": "a", "labels": {"test": "e"}}, "subsets": [subset]},
            )
            made["metadata"]["labels"]["updated"] = "yes"
            await api.put(f"{ENDPOINTS}/a", made)
            patch = {
                "metadata": {"labels": {"patched": "yes"}},
                "subsets": [
                    {"addresses": [{"ip": "10.0.0.25"}], "ports": [{"name": "t", "port": 8080}]}
                ],
            }
            patched = await api.patch(f"{ENDPOINTS}/a", patch, form=STRATEGIC_PATCH)
            assert patched["subsets"][0]["addresses"] == [{"ip": "10.0.0.25"}]
            assert patched["subsets"][0]["ports"][0]["port"] == 8080
            await api.delete(where)
            await watch.count(4)
            assert watch.types == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]


@virtual
async def test_a_collection_of_services_is_deleted_by_label() -> None:
    """Upstream: Service, deletes a collection of services."""
    async with served(nodes=0) as api:
        for number in range(3):
            labels = {"e2e-test-service": "delete" if number < 2 else "keep"}
            body = {
                "metadata": {"name": f"s{number}", "labels": labels},
                "spec": {"ports": [{"port": 80}]},
            }
            await api.create(SERVICES, body)
        await api.delete(f"{SERVICES}?labelSelector=e2e-test-service=delete")
        assert await api.names(SERVICES) == ["s2"]
