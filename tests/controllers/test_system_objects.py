"""What a served cluster has by itself: made at the start, and made again."""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.definitions import DefinitionController
from orchestrator.controllers.system import ServiceAddresses, SystemObjects
from orchestrator.controllers.system.core import custom_services, system_objects
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Key, Object
from orchestrator.resources.strategies import strategy_of
from orchestrator.store import Store

RANGE = "10.96.0.0/16"
API_SERVICES = "apiservices.apiregistration.k8s.io"
SCHEMAS = "flowschemas.flowcontrol.apiserver.k8s.io"
LEVELS = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"
CLASSES = "priorityclasses.scheduling.k8s.io"
DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
ADDRESSES = "ipaddresses.networking.k8s.io"
RANGES = "servicecidrs.networking.k8s.io"


class Silent:
    """A recorder for controllers that record nothing."""

    def event(self, involved: Object, type: str, reason: str, message: str) -> None:  # noqa: A002 # the API
        raise AssertionError((involved, type, reason, message))


def names(store: Store, resource: str) -> list[str]:
    """Return the names of a resource's objects."""
    return [obj["metadata"]["name"] for obj in store.list(resource)]


@pytest.mark.parametrize("version", ["1.31", "1.33", "1.35", "1.36"])
def test_every_object_is_valid_by_its_own_rules(version: str) -> None:
    """In every version, with its defaults."""
    served = registry(version)
    made = system_objects(served, RANGE)
    for key, obj in made.items():
        kind = served.by_key(key.resource)
        assert (obj["apiVersion"], obj["kind"]) == (kind.api_version, kind.kind)
        strategy = strategy_of(kind)
        full = strategy.prepare_create(strategy.default(obj))
        assert strategy.validate_create(full) == [], key
    assert (Key(RANGES, "", "kubernetes") in made) is (version >= "1.33")


def test_each_built_in_group_and_version_has_its_service() -> None:
    """With upstream's names and priorities; that of APIServices themselves has none."""
    made = system_objects(registry("1.35"), RANGE)
    services = {key.name: obj["spec"] for key, obj in made.items() if key.resource == API_SERVICES}
    expected = {
        f"{version}.{group}"
        for group, versions in registry("1.35").groups().items()
        for version in versions
        if group != "apiregistration.k8s.io"
    }
    assert set(services) == expected
    assert services["v1."] == {
        "version": "v1",
        "groupPriorityMinimum": 18000,
        "versionPriority": 1,
    }
    assert services["v2.autoscaling"] == {
        "group": "autoscaling",
        "version": "v2",
        "groupPriorityMinimum": 17500,
        "versionPriority": 30,
    }


@virtual
async def test_they_are_made_and_come_back(worlds: Any) -> None:
    """Also after somebody deleted one; then all is quiet."""
    async with worlds.world() as world:
        store: Store = world.store
        world.system.spawn(lambda: SystemObjects(store, Silent(), RANGE), "system")
        await world.settle()
        assert names(store, CLASSES) == ["system-cluster-critical", "system-node-critical"]
        assert (len(names(store, SCHEMAS)), len(names(store, LEVELS))) == (13, 8)
        components = names(store, "componentstatuses")
        assert components == ["controller-manager", "etcd-0", "scheduler"]
        schema = store.get(SCHEMAS, "", "exempt")
        assert schema is not None
        condition = find_condition(schema, "Dangling")
        assert condition is not None
        assert (condition["status"], condition["reason"], condition["message"]) == (
            "False",
            "Found",
            (
                "This FlowSchema references the PriorityLevelConfiguration object named "
                '"exempt" and it exists'
            ),
        )
        found = store.get(RANGES, "", "kubernetes")
        assert found is not None
        assert found["spec"] == {"cidrs": [RANGE]}
        assert find_condition(found, "Ready") is not None
        sequence = store.sequence
        await world.settle(30)
        assert store.sequence == sequence
        await store.delete(SCHEMAS, "", "catch-all")
        await store.delete(API_SERVICES, "", "v1.apps")
        await world.settle()
        assert "catch-all" in names(store, SCHEMAS)
        assert "v1.apps" in names(store, API_SERVICES)


@virtual
async def test_a_schema_without_its_level_dangles(worlds: Any) -> None:
    """Until the level is there, and again when it goes."""
    async with worlds.world() as world:
        store: Store = world.store
        world.system.spawn(lambda: SystemObjects(store, Silent(), RANGE), "system")
        group = "flowcontrol.apiserver.k8s.io/v1"
        spec = {"priorityLevelConfiguration": {"name": "mine"}}
        schema = {"apiVersion": group, "kind": "FlowSchema", "spec": spec}
        await world.create(SCHEMAS, {**schema, "metadata": {"name": "mine"}}, "")
        level = {
            "apiVersion": group,
            "kind": "PriorityLevelConfiguration",
            "metadata": {"name": "mine"},
            "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}},
        }

        async def dangles() -> str:
            await world.settle()
            condition = find_condition(world.get(SCHEMAS, "mine", ""), "Dangling")
            assert condition is not None
            return str(condition["status"])

        assert await dangles() == "True"
        await world.create(LEVELS, level, "")
        assert await dangles() == "False"
        await store.delete(LEVELS, "", "mine")
        assert await dangles() == "True"


def definition(*versions: str) -> Object:
    """Return a CustomResourceDefinition that serves some versions."""
    names_of = {"plural": "things", "kind": "Thing"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    served = [
        {"name": name, "served": True, "storage": index == 0, "schema": schema}
        for index, name in enumerate(versions)
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": names_of,
            "versions": [*served, {**served[0], "name": "v0", "served": False, "storage": False}],
        },
    }


@virtual
async def test_custom_groups_have_services_as_long_as_they_are_served(worlds: Any) -> None:
    """One for each version; what is not served has none."""
    assert [key.name for key in custom_services([definition("v1", "v2")])] == [
        "v1.example.com",
        "v2.example.com",
    ]
    async with worlds.world() as world:
        store: Store = world.store
        world.system.spawn(lambda: SystemObjects(store, Silent(), RANGE), "system")
        world.system.spawn(lambda: DefinitionController(store, Silent()), "definitions")
        await world.create(DEFINITIONS, definition("v1"), "")
        await world.settle()
        found = world.get(API_SERVICES, "v1.example.com", "")
        assert found["spec"] == {
            "group": "example.com",
            "version": "v1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 100,
        }
        await store.delete(DEFINITIONS, "", "things.example.com")
        await world.settle()
        assert "v1.example.com" not in names(store, API_SERVICES)


@virtual
async def test_addresses_of_services_have_objects(worlds: Any) -> None:
    """They come and go with the Services; users' own are left alone."""
    async with worlds.world() as world:
        store: Store = world.store
        world.system.spawn(lambda: ServiceAddresses(store, Silent()), "addresses")
        web = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}
        await world.create("services", {**web, "metadata": {"name": "web"}})
        headless = {**web, "spec": {"clusterIP": "None"}, "metadata": {"name": "none"}}
        await world.create("services", headless)
        parent = {"resource": "things", "name": "mine"}
        mine = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IPAddress",
            "spec": {"parentRef": parent},
        }
        await world.create(ADDRESSES, {**mine, "metadata": {"name": "192.0.2.1"}}, "")
        await world.settle()
        address = world.get("services", "web")["spec"]["clusterIP"]
        assert names(store, ADDRESSES) == sorted([address, "192.0.2.1"])
        found = world.get(ADDRESSES, address, "")
        assert found["metadata"]["labels"] == {
            "ipaddress.kubernetes.io/ip-family": "IPv4",
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        }
        parent = {"group": "", "resource": "services", "namespace": "default", "name": "web"}
        assert found["spec"] == {"parentRef": parent}
        await store.delete(ADDRESSES, "", address)
        await world.settle()
        assert address in names(store, ADDRESSES)
        await store.delete("services", "default", "web")
        await world.settle()
        assert names(store, ADDRESSES) == ["192.0.2.1"]
