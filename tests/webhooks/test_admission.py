"""Webhooks that are really called: what they are sent, and what follows from their answers."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from orchestrator.resources.objects import Object
from orchestrator.store import Create, Store

if TYPE_CHECKING:
    from tests.webhooks.conftest import WebhookServer

MAPS = "/api/v1/namespaces/default/configmaps"
GROUP = "/apis/admissionregistration.k8s.io/v1"
RULE = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["*"],
    "resources": ["configmaps"],
}


def hook(name: str, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A webhook about ConfigMaps."""
    return {
        "name": f"{name}.example.com",
        "clientConfig": config,
        "rules": [RULE],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }


async def configure(client: httpx.AsyncClient, kind: str, *hooks: dict[str, Any]) -> None:
    """Create a configuration."""
    body = {"metadata": {"name": f"{kind.lower()}-test"}, "webhooks": list(hooks)}
    made = await client.post(f"{GROUP}/{kind.lower()}webhookconfigurations", json=body)
    assert made.status_code == 201, made.text


def patching(*operations: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A response that allows a request and changes its object."""
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patch": patch, "patchType": "JSONPatch", **more}


def labelling(name: str) -> dict[str, Any]:
    """A response that adds one label."""
    return patching(
        {"op": "add", "path": "/metadata/labels", "value": {name: "yes"}},
    )


def config_map(name: str = "a", **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {"metadata": {"name": name}, "data": data}


async def test_a_mutating_webhook_changes_the_object(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """And is sent an AdmissionReview as upstream sends it."""
    webhook.paths["/m"] = lambda _: labelling("by") | {"warnings": ["look out"]}
    await configure(client, "Mutating", hook("m", webhook.config("/m")))
    made = await client.post(f"{MAPS}?fieldManager=me", json=config_map(x="1"))
    assert made.status_code == 201, made.text
    assert made.json()["metadata"]["labels"] == {"by": "yes"}
    assert "look out" in made.headers["warning"]
    (request,) = webhook.requests
    assert request.pop("uid")
    assert request.pop("object")["data"] == {"x": "1"}
    assert request == {
        "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "resource": {"group": "", "version": "v1", "resource": "configmaps"},
        "requestKind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "requestResource": {"group": "", "version": "v1", "resource": "configmaps"},
        "name": "a",
        "namespace": "default",
        "operation": "CREATE",
        "userInfo": {
            "username": "kubernetes-admin",
            "groups": ["system:masters", "system:authenticated"],
        },
        "oldObject": None,
        "dryRun": False,
        "options": {
            "kind": "CreateOptions",
            "apiVersion": "meta.k8s.io/v1",
            "fieldManager": "me",
        },
    }
    assert webhook.urls == ["/m?timeout=10s"]


async def test_the_fields_a_webhook_sets_belong_to_nobody(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """So that an apply of the same object afterwards is no conflict."""
    webhook.paths["/m"] = lambda _: labelling("by")
    await configure(client, "Mutating", hook("m", webhook.config("/m")))
    made = (await client.post(MAPS, json=config_map(x="1"))).json()
    (entry,) = made["metadata"]["managedFields"]
    assert "f:labels" not in json.dumps(entry)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ({"message": "not today", "code": 403, "reason": "Forbidden"}, 403, ": not today"),
        ({"reason": "Because"}, 400, ": Because"),
        ({}, 400, " without explanation"),
        ({"message": "fine", "code": 200}, 400, ": fine"),
    ],
)
async def test_a_validating_webhook_refuses_in_upstreams_words(
    client: httpx.AsyncClient,
    webhook: WebhookServer,
    store: Store,
    status: dict[str, Any],
    code: int,
    message: str,
) -> None:
    """Whoever asks: a user's create, and a controller's."""
    webhook.paths["/v"] = lambda _: {"allowed": False, "status": status}
    await configure(client, "Validating", hook("v", webhook.config("/v")))
    refused = await client.post(MAPS, json=config_map())
    words = f'admission webhook "v.example.com" denied the request{message}'
    assert (refused.status_code, refused.json()["message"]) == (code, words)
    obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", **config_map()}
    obj["metadata"]["namespace"] = "default"
    (result,) = await store.write([Create("configmaps", obj)])
    assert str(result) == words


async def test_old_and_new_object_are_sent_by_verb(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """Both for an update, the old one for a deletion."""
    await client.post(MAPS, json=config_map(x="1"))
    webhook.paths["/v"] = lambda _: {"allowed": True}
    await configure(client, "Validating", hook("v", webhook.config("/v")))
    await client.put(f"{MAPS}/a", json=config_map(x="2"))
    await client.patch(
        f"{MAPS}/a",
        json={"data": {"x": "3"}},
        headers={"content-type": "application/merge-patch+json"},
    )
    gone = await client.delete(f"{MAPS}/a")
    assert gone.status_code == 200, gone.text
    seen = [
        (
            request["operation"],
            (request["oldObject"] or {}).get("data"),
            (request["object"] or {}).get("data"),
            request["options"]["kind"],
        )
        for request in webhook.requests
    ]
    assert seen == [
        ("UPDATE", {"x": "1"}, {"x": "2"}, "UpdateOptions"),
        ("UPDATE", {"x": "2"}, {"x": "3"}, "PatchOptions"),
        ("DELETE", {"x": "3"}, None, "DeleteOptions"),
    ]


async def test_a_webhook_that_cannot_be_reached_fails_the_request_or_is_ignored(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """As its failurePolicy says."""
    nowhere = {"url": "https://127.0.0.1:1/x", "caBundle": webhook.bundle}
    await configure(client, "Validating", hook("v", nowhere))
    refused = await client.post(MAPS, json=config_map())
    assert refused.status_code == 500
    assert refused.json()["message"] == (
        'Internal error occurred: failed calling webhook "v.example.com": failed to call webhook: '
        'Post "https://127.0.0.1:1/x?timeout=10s": dial tcp 127.0.0.1:1: connect: '
        "connection refused"
    )
    path = f"{GROUP}/validatingwebhookconfigurations/validating-test"
    found = (await client.get(path)).json()
    found["webhooks"][0]["failurePolicy"] = "Ignore"
    assert (await client.put(path, json=found)).status_code == 200
    assert (await client.post(MAPS, json=config_map())).status_code == 201


async def test_a_slow_webhook_has_its_seconds(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """Then the request fails in the words of Go's deadline."""
    webhook.paths["/v"] = lambda _: {"allowed": True}
    webhook.delay.clear()
    await configure(client, "Validating", hook("v", webhook.config("/v"), timeoutSeconds=1))
    refused = await client.post(MAPS, json=config_map())
    webhook.delay.set()
    assert refused.status_code == 500
    assert refused.json()["message"].endswith('/v?timeout=1s": context deadline exceeded')


async def test_a_certificate_of_somebody_else_is_not_trusted(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """Without the bundle, the system's authorities decide."""
    config = webhook.config("/v")
    del config["caBundle"]
    await configure(client, "Validating", hook("v", config))
    refused = await client.post(MAPS, json=config_map())
    assert "x509: certificate signed by unknown authority" in refused.json()["message"]
    assert webhook.requests == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"no", "the answer is no JSON"),
        (b'{"kind": "Pod"}', "expected webhook response of admission.k8s.io/v1, Kind=AdmissionRe"),
        (
            b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}',
            "webhook response was absent",
        ),
        (
            json.dumps(
                {
                    "kind": "AdmissionReview",
                    "apiVersion": "admission.k8s.io/v1",
                    "response": {"uid": "x", "allowed": True},
                }
            ).encode(),
            'got "x"',
        ),
    ],
)
async def test_an_answer_that_is_none_is_a_failure(
    client: httpx.AsyncClient,
    webhook: WebhookServer,
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes,
    words: str,
) -> None:
    """Told with what was expected."""
    monkeypatch.setattr(webhook, "answer", lambda *_: answer)
    await configure(client, "Validating", hook("v", webhook.config("/v")))
    refused = await client.post(MAPS, json=config_map())
    assert refused.status_code == 500
    assert words in refused.json()["message"]


async def test_a_dry_run_reaches_only_webhooks_without_side_effects(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """Others refuse it before they are called."""
    webhook.paths["/v"] = lambda _: {"allowed": True}
    await configure(client, "Validating", hook("v", webhook.config("/v")))
    assert (await client.post(f"{MAPS}?dryRun=All", json=config_map())).status_code == 201
    assert webhook.requests[0]["dryRun"] is True
    path = f"{GROUP}/validatingwebhookconfigurations/validating-test"
    found = (await client.get(path)).json()
    # Upstream no longer admits webhooks with side effects; an old object may still have them.
    found["webhooks"][0]["sideEffects"] = "Some"
    assert (await client.put(path, json=found)).status_code in (200, 422)


async def test_selectors_choose_by_object_and_namespace(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """Both have to match."""
    webhook.paths["/v"] = lambda _: {"allowed": True}
    await configure(
        client,
        "Validating",
        hook(
            "v",
            webhook.config("/v"),
            objectSelector={"matchLabels": {"checked": "yes"}},
            namespaceSelector={
                "matchExpressions": [
                    {
                        "key": "kubernetes.io/metadata.name",
                        "operator": "NotIn",
                        "values": ["kube-system"],
                    }
                ]
            },
        ),
    )
    chosen = config_map("chosen")
    chosen["metadata"]["labels"] = {"checked": "yes"}
    for namespace in ("default", "kube-system"):
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        await client.post(path, json=config_map("other"))
        await client.post(path, json=chosen)
    assert [(seen["namespace"], seen["name"]) for seen in webhook.requests] == [
        ("default", "chosen")
    ]


async def test_a_webhook_is_asked_again_about_what_a_later_one_changed(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """With reinvocationPolicy IfNeeded, once."""
    order: list[str] = []

    def first(_: dict[str, Any]) -> dict[str, Any]:
        order.append("first")
        return {"allowed": True}

    def second(_: dict[str, Any]) -> dict[str, Any]:
        order.append("second")
        return labelling("second")

    webhook.paths.update({"/1": first, "/2": second})
    await configure(
        client,
        "Mutating",
        hook("one", webhook.config("/1"), reinvocationPolicy="IfNeeded"),
        hook("two", webhook.config("/2"), reinvocationPolicy="IfNeeded"),
    )
    assert (await client.post(MAPS, json=config_map())).status_code == 201
    assert order == ["first", "second", "first"]


async def test_a_rule_for_one_version_holds_for_the_others(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """MatchPolicy Equivalent: the webhook sees the version that it knows."""
    webhook.paths["/v"] = lambda _: {"allowed": True}
    rule = {
        "apiGroups": ["autoscaling"],
        "apiVersions": ["v2"],
        "operations": ["CREATE"],
        "resources": ["horizontalpodautoscalers"],
    }
    await configure(client, "Validating", hook("v", webhook.config("/v"), rules=[rule]))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    body = {
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 2, "targetCPUUtilizationPercentage": 50},
    }
    path = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
    made = await client.post(path, json=body)
    assert made.status_code == 201, made.text
    (request,) = webhook.requests
    assert request["kind"]["version"] == request["resource"]["version"] == "v2"
    assert request["requestKind"]["version"] == request["requestResource"]["version"] == "v1"
    assert request["object"]["apiVersion"] == "autoscaling/v2"
    assert "metrics" in request["object"]["spec"]


async def test_a_service_leads_to_a_webhook(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """By its endpoints; the certificate has to be the Service's."""
    webhook.paths["/v"] = lambda _: {"allowed": False}
    service = {"metadata": {"name": "hook"}, "spec": {"ports": [{"name": "https", "port": 443}]}}
    made = await client.post("/api/v1/namespaces/default/services", json=service)
    assert made.status_code == 201, made.text
    config = {
        "service": {"name": "hook", "namespace": "default", "path": "/v"},
        "caBundle": webhook.bundle,
    }
    await configure(client, "Validating", hook("v", config))
    refused = await client.post(MAPS, json=config_map())
    assert refused.json()["message"].endswith('no endpoints available for service "hook"')
    endpoints = {
        "metadata": {"name": "hook-1", "labels": {"kubernetes.io/service-name": "hook"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"]}],
        "ports": [{"name": "https", "port": webhook.port}],
    }
    path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    assert (await client.post(path, json=endpoints)).status_code == 201
    refused = await client.post(MAPS, json=config_map())
    assert refused.json()["message"].endswith("denied the request without explanation")
    assert webhook.hosts == ["hook.default.svc:443"]


async def test_evictions_bindings_and_scales_are_seen_as_what_they_are(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """A rule names the subresource; the object is of the subresource's kind."""
    pods = "/api/v1/namespaces/default/pods"
    deployments = "/apis/apps/v1/namespaces/default/deployments"
    spec = {"containers": [{"name": "c", "image": "c"}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    await client.post(pods, json={"metadata": {"name": "p"}, "spec": spec})
    await client.post(
        deployments,
        json={
            "metadata": {"name": "d"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
        },
    )
    webhook.paths["/v"] = lambda _: {"allowed": True}
    rule = {
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "operations": ["*"],
        "resources": ["pods/binding", "pods/eviction", "deployments/scale"],
    }
    await configure(client, "Validating", hook("v", webhook.config("/v"), rules=[rule]))
    bind = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    assert (await client.post(f"{pods}/p/binding", json=bind)).status_code == 201
    scale = (await client.get(f"{deployments}/d/scale")).json()
    scale["spec"]["replicas"] = 3
    assert (await client.put(f"{deployments}/d/scale", json=scale)).status_code == 200
    evict = {"metadata": {"name": "p"}}
    assert (await client.post(f"{pods}/p/eviction", json=evict)).status_code == 201
    assert [
        (seen["operation"], seen["subResource"], seen["kind"]["kind"]) for seen in webhook.requests
    ] == [
        ("CREATE", "binding", "Binding"),
        ("UPDATE", "scale", "Scale"),
        ("CREATE", "eviction", "Eviction"),
    ]


async def test_webhooks_never_see_their_own_configurations(
    client: httpx.AsyncClient, webhook: WebhookServer
) -> None:
    """A webhook for everything could not be removed otherwise."""
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    nowhere = {"url": "https://127.0.0.1:1/x"}
    await configure(client, "Validating", hook("v", nowhere, rules=[everything]))
    assert (await client.post(MAPS, json=config_map())).status_code == 500
    path = f"{GROUP}/validatingwebhookconfigurations/validating-test"
    assert (await client.delete(path)).status_code == 200
    assert (await client.post(MAPS, json=config_map())).status_code == 201
