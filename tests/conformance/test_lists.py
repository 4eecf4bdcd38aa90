"""Lists in pages, tables, versions and discovery."""

from __future__ import annotations

import asyncio
import re

from actors.testing import virtual
from tests.conformance.cluster import Api, served
from tests.conformance.kinds import TEMPLATE

TEMPLATES = "/api/v1/namespaces/default/podtemplates"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def templates(api: Api, number: int) -> None:
    """Create PodTemplates."""
    for index in range(number):
        body = {"metadata": {"name": f"template-{index:04}"}, "template": TEMPLATE}
        await api.create(TEMPLATES, body)


@virtual
async def test_a_list_comes_in_pages_of_one_version() -> None:
    """Upstream: API Chunking, server should return chunks of results for list calls."""
    async with served(nodes=0) as api:
        await templates(api, 40)
        found, token, version = 0, "", ""
        while True:
            page = await api.get(f"{TEMPLATES}?limit=7&continue={token}")
            assert len(page["items"]) <= 7
            for item in page["items"]:
                assert item["metadata"]["name"] == f"template-{found:04}"
                found += 1
            version = version or page["metadata"]["resourceVersion"]
            assert page["metadata"]["resourceVersion"] == version
            assert page["metadata"].get("remainingItemCount", 0) == 40 - found
            token = page["metadata"].get("continue", "")
            if not token:
                break
        assert found == 40
        whole = await api.get(TEMPLATES)
        assert len(whole["items"]) == 40
        assert "continue" not in whole["metadata"]


@virtual
async def test_an_expired_page_can_be_gone_on_with() -> None:
    """Upstream: API Chunking, continue listing if the original version has been compacted away."""
    async with served(nodes=0) as api:
        await templates(api, 12)
        first = await api.get(f"{TEMPLATES}?limit=5")
        await asyncio.sleep(400)  # longer than history is kept
        for name in ("later", "last"):  # what is written meanwhile ends the history before it
            await api.create("/api/v1/namespaces", {"metadata": {"name": name}})
            await asyncio.sleep(400)
        await api.create("/api/v1/namespaces", {"metadata": {"name": "now"}})
        token = first["metadata"]["continue"]
        gone = await api.get(f"{TEMPLATES}?limit=5&continue={token}", 410)
        assert gone["reason"] == "Expired"
        on = gone["metadata"]["continue"]
        second = await api.get(f"{TEMPLATES}?limit=5&continue={on}")
        assert [item["metadata"]["name"] for item in second["items"]] == [
            f"template-{index:04}" for index in range(5, 10)
        ]
        assert second["metadata"]["remainingItemCount"] == 2
        third = await api.get(f"{TEMPLATES}?limit=5&continue={second['metadata']['continue']}")
        assert len(third["items"]) == 2
        assert third["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


@virtual
async def test_pods_nodes_and_pages_are_printed_as_tables() -> None:
    """Upstream: Servers with support for Table transformation should transform pod tables."""
    async with served(nodes=2) as api:
        pod = {"metadata": {"name": "p"}, "spec": TEMPLATE["spec"]}
        await api.create("/api/v1/namespaces/default/pods", pod)
        table = await api.get("/api/v1/namespaces/default/pods/p", accept=TABLE)
        assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
        assert table["columnDefinitions"][0]["name"] == "Name"
        assert len(table["rows"][0]["cells"]) == len(table["columnDefinitions"]) > 2
        assert table["rows"][0]["cells"][0] == "p"
        assert table["rows"][0]["object"]["metadata"]["uid"]
        nodes = await api.get("/api/v1/nodes", accept=TABLE)
        assert [row["cells"][0] for row in nodes["rows"]] == ["node-1", "node-2"]
        await templates(api, 20)
        page = await api.get(f"{TEMPLATES}?limit=10", accept=TABLE)
        assert len(page["rows"]) == 10
        rest = await api.get(
            f"{TEMPLATES}?limit=10&continue={page['metadata']['continue']}", accept=TABLE
        )
        assert [row["cells"][0] for row in rest["rows"]] == [
            f"template-{index:04}" for index in range(10, 20)
        ]


@virtual
async def test_a_review_is_no_table() -> None:
    """Upstream: API metadata HTTP return (406 for a backend which does not implement metadata)."""
    async with served(nodes=0) as api:
        review = {
            "spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}},
        }
        refused = await api.call(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            review,
            406,
            {"accept": TABLE},
        )
        assert refused["reason"] == "NotAcceptable"


@virtual
async def test_the_server_tells_its_version_in_numbers() -> None:
    """Upstream: Confirm a server version."""
    async with served(nodes=0) as api:
        version = await api.get("/version")
        assert re.fullmatch("[1-9]", version["major"])
        assert re.fullmatch("[0-9]+", version["minor"])


@virtual
async def test_every_group_has_a_preferred_version_and_resources() -> None:
    """Upstream: Discovery, PreferredVersion; groupVersion and a resource from each apiGroup."""
    async with served(nodes=0) as api:
        groups = (await api.get("/apis"))["groups"]
        assert len(groups) > 15
        for group in groups:
            alone = await api.get(f"/apis/{group['name']}")
            preferred = alone["preferredVersion"]
            assert preferred in alone["versions"]
            for version in alone["versions"]:
                listed = await api.get(f"/apis/{version['groupVersion']}")
                assert listed["kind"] == "APIResourceList"
                assert listed["groupVersion"] == version["groupVersion"]
                assert all(one["name"] and one["kind"] for one in listed["resources"])
                assert listed["resources"]


@virtual
async def test_discovery_at_once_says_what_discovery_in_steps_says() -> None:
    """Upstream: Aggregated Discovery Interface, Endpoint Accept Headers."""
    async with served(nodes=0) as api:
        for form in ("v2", "v2beta1"):
            accept = AGGREGATED.replace("v2", form)
            for path in ("/api", "/apis"):
                answer = await api.client.get(path, headers={"accept": accept})
                assert answer.headers["content-type"] == accept
                assert answer.json()["kind"] == "APIGroupDiscoveryList"
                assert answer.json()["apiVersion"] == f"apidiscovery.k8s.io/{form}"
        whole = (await api.get("/apis", accept=AGGREGATED))["items"]
        steps = (await api.get("/apis"))["groups"]
        assert [one["metadata"]["name"] for one in whole] == [one["name"] for one in steps]
        for group in whole:
            for version in group["versions"]:
                name = f"{group['metadata']['name']}/{version['version']}"
                listed = (await api.get(f"/apis/{name}"))["resources"]
                names = {one["name"] for one in listed if "/" not in one["name"]}
                assert {one["resource"] for one in version["resources"]} == names
