"""Webhooks that the test serves itself are called as any others are.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers and
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning
"""

from __future__ import annotations

import threading
from typing import Any

import kopf
import pytest

from orchestrator import Cluster, StatusError
from orchestrator.embedded.webhooks.server import json_patch, response_of
from orchestrator.resources.patches import apply_json_patch
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop
from tests.embedded.operators import SHOP_KIND, make_operator, operating, shop

pytestmark = [
    pytest.mark.usefixtures("untidy"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@on_a_real_loop
async def test_a_validating_function_is_asked_for_a_block() -> None:
    """Its words come to who wrote; after the block nobody is asked any more."""
    async with Cluster(nodes=0, listen=None) as cluster:

        def check(request: dict[str, Any]) -> str | None:
            assert threading.current_thread() is not threading.main_thread()
            colour = request["object"]["data"]["colour"]
            return "we have no red paint" if colour == "red" else None

        async with cluster.webhook(check, "cm", name="paint.example.com") as hook:
            await cluster.apply(config_map("a", colour="green"))
            with pytest.raises(StatusError) as caught:
                await cluster.apply(config_map("b", colour="red"))
            assert caught.value.message == (
                'admission webhook "paint.example.com" denied the request: we have no red paint'
            )
            with pytest.raises(StatusError, match=r"failed calling webhook.*KeyError"):
                await cluster.apply(config_map("c", other="x"))
            asked = hook.requests[0]
            assert asked["operation"] == "CREATE"
            assert asked["resource"]["resource"] == "configmaps"
            assert asked["name"] == "a"
            assert asked["userInfo"]["username"]
            await cluster.api.delete("cm", "a")
            assert len(hook.requests) == 3
        await cluster.apply(config_map("b", colour="red"))
        assert await cluster.api.list("validatingwebhookconfigurations") == []


@on_a_real_loop
async def test_a_mutating_function_changes_what_controllers_make_too() -> None:
    """Time waits for it: the pods' hour begins when they are made."""
    async with Cluster(epoch=EPOCH, listen=None) as cluster:

        async def label(request: dict[str, Any]) -> dict[str, Any]:
            pod = request["object"]
            labels = {**pod["metadata"]["labels"], "a/b-c": "yes"}
            return {**pod, "metadata": {**pod["metadata"], "labels": labels}}

        async def refuse(_: dict[str, Any]) -> None:
            raise StatusError(418, "", "no more of them")

        async with cluster.webhook(label, "pods", mutating=True, operations=["CREATE"]) as hook:
            await cluster.apply(deployment(replicas=3))
            await cluster.wait("deployment/web", "Available")
            assert len(hook.requests) == 3
            assert cluster.clock.now() - EPOCH < 10
        assert len(await cluster.api.list("pods", labels="a/b-c=yes")) == 3
        async with cluster.webhook(
            refuse, ["pods", "Deployment"], objectSelector={"matchLabels": {"app": "other"}}
        ):
            await cluster.apply(deployment("fine"))
            with pytest.raises(StatusError) as caught:
                await cluster.api.create(
                    {
                        "apiVersion": "v1",
                        "kind": "Pod",
                        "metadata": {"name": "p", "labels": {"app": "other"}},
                        "spec": {"containers": [{"name": "c", "image": "x"}]},
                    }
                )
            assert caught.value.code == 418


@on_a_real_loop
async def test_a_function_converts_between_a_kind_s_versions() -> None:
    """Stored in one version, read and written in both."""
    kind = {**SHOP_KIND, "spec": {**SHOP_KIND["spec"]}}
    (first,) = kind["spec"]["versions"]
    kind["spec"]["versions"] = [{**first, "storage": False}, {**first, "name": "v2"}]

    def convert(obj: dict[str, Any], version: str) -> dict[str, Any]:
        spec = obj["spec"]
        if spec.get("owner") == "nobody":
            raise ValueError("nobody owns it")
        if version.endswith("/v2"):
            return {**obj, "spec": {"owners": [spec["owner"]]}}
        return {**obj, "spec": {"owner": spec["owners"][0]}}

    async with Cluster(nodes=0, listen=None) as cluster:
        await cluster.install_crd(kind)
        async with cluster.conversion_webhook("shops", convert) as hook:
            await cluster.apply(shop("a", owner="me"))
            new = await cluster.api.get("shops.v2.example.com", "a")
            assert new["spec"] == {"owners": ["me"]}
            assert (await cluster.api.get("shops.v1.example.com", "a"))["spec"] == {"owner": "me"}
            assert hook.requests[0]["desiredAPIVersion"] == "example.com/v2"
            with pytest.raises(StatusError, match="nobody owns it"):
                await cluster.apply(shop("b", owner="nobody"))
        definition = await cluster.api.get("crd", "shops.example.com")
        assert definition["spec"]["conversion"] == {"strategy": "None"}


@on_a_real_loop
async def test_kopf_s_webhook_server_is_called() -> None:
    """With the certificate that the cluster makes for servers of the test's own.

    https://docs.kopf.dev/en/stable/admission
    """
    async with Cluster() as cluster:
        await cluster.apply(SHOP_KIND)
        files = cluster.tls_files()
        registry = make_operator()

        @kopf.on.startup(registry=registry)
        async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
            settings.admission.managed = "shops.example.com"
            settings.admission.server = kopf.WebhookServer(
                addr="127.0.0.1",
                host="127.0.0.1",
                cafile=files.ca_file,
                certfile=files.certificate_file,
                pkeyfile=files.key_file,
            )

        @kopf.on.mutate("example.com", "v1", "shops", registry=registry)
        async def fill(patch: kopf.Patch, **_: Any) -> None:
            patch.spec["city"] = "Nowhere"

        @kopf.on.validate("example.com", "v1", "shops", registry=registry)
        async def check(spec: kopf.Spec, **_: Any) -> None:
            if spec.get("owner") == "nobody":
                raise kopf.AdmissionError("nobody owns it", code=418)

        async with operating(cluster, registry):
            for kind in ("mutating", "validating"):
                await cluster.wait(
                    f"{kind}webhookconfigurations/shops.example.com",
                    lambda obj: (obj.get("webhooks") or [{}])[0].get("clientConfig"),
                )
            stored = (await cluster.apply(shop("a", owner="me")))[0]
            assert stored["spec"]["city"] == "Nowhere"
            with pytest.raises(StatusError, match="nobody owns it") as caught:
                await cluster.apply(shop("b", owner="nobody"))
            assert caught.value.code == 418
            await cluster.wait("shop/a", "jsonpath={.status.phase}=Open")


@pytest.mark.parametrize(
    ("verdict", "response"),
    [
        (None, {"allowed": True}),
        (True, {"allowed": True}),
        (False, {"allowed": False}),
        ("no", {"allowed": False, "status": {"message": "no"}}),
        ([], {"allowed": True}),
        ({"kind": "A"}, {"allowed": True}),
        ({"allowed": True, "warnings": ["w"]}, {"allowed": True, "warnings": ["w"]}),
    ],
)
def test_verdicts_are_given_as_one_would_say_them(verdict: Any, response: Any) -> None:
    """Each stands for a response."""
    assert response_of(verdict, {"kind": "A"}) == response


def test_what_is_no_verdict_is_refused() -> None:
    """It says what would be one."""
    with pytest.raises(TypeError, match="returned 7: give None or True"):
        response_of(7, {})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {"a": 1}),
        ({"a": {"b/c": 1, "d~": 2}, "e": [1]}, {"a": {"b/c": 2}, "e": [1, 2]}),
        ({"a": None, "b": 1}, {"a": {"c": {}}}),
    ],
)
def test_a_changed_object_becomes_the_patch_that_makes_it(old: Any, new: Any) -> None:
    """Applied to the old one it gives the new."""
    assert apply_json_patch(old, json_patch(old, new)) == new


def test_webhooks_and_programs_have_twins_without_asyncio() -> None:
    """The function runs in a thread of its own, and may use the twin itself."""
    with Cluster.sync(nodes=1) as cluster:

        def check(request: dict[str, Any]) -> bool:
            return bool(cluster.api.list("nodes")) and request["name"] != "bad"

        with cluster.webhook(check, "configmaps") as hook:
            cluster.apply(config_map("good"))
            with pytest.raises(StatusError, match="denied the request"):
                cluster.apply(config_map("bad"))
            assert [request["name"] for request in hook.requests] == ["good", "bad"]
