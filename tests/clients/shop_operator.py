"""A real operator, as people write them with kopf: run in a process of its own by the tests.

It gives every Shop a ConfigMap, counts in a timer, keeps a daemon, lets go of a Shop only once it
has cleaned up, and says in the Shop's status what it did.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

import kopf
from kubernetes_asyncio import client, config

GROUP = "example.com"
SHOPS = (GROUP, "v1", "shops")


async def core() -> client.CoreV1Api:
    """Return an API as any operator gets it."""
    settings = client.Configuration()
    await config.load_kube_config(os.environ["KUBECONFIG"], client_configuration=settings)
    return client.CoreV1Api(client.ApiClient(settings))


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Be quick, and tell other instances from itself by a peering."""
    settings.posting.level = 20
    settings.watching.server_timeout = 10
    settings.persistence.finalizer = f"{GROUP}/finalizer"
    keys = Path(os.environ["OPERATOR_KEYS"])
    settings.admission.server = kopf.WebhookServer(
        addr="127.0.0.1",
        host="127.0.0.1",
        cafile=keys / "ca.crt",
        certfile=keys / "apiserver.crt",
        pkeyfile=keys / "apiserver.key",
    )
    settings.admission.managed = f"shops.{GROUP}"


@kopf.on.mutate(*SHOPS)
def fill(patch: kopf.Patch, spec: kopf.Spec, **_: Any) -> None:
    """Give a Shop a city when it names none."""
    if "city" not in spec:
        patch.spec["city"] = "Nowhere"


@kopf.on.validate(*SHOPS, operations={"CREATE"})
def check(spec: kopf.Spec, warnings: list[str], **_: Any) -> None:
    """Refuse what the schema can't."""
    warnings.append("shops are watched")
    if spec.get("city") == "Atlantis":
        raise kopf.AdmissionError("Atlantis has sunk", code=418)


@kopf.on.create(*SHOPS)
async def open_shop(
    spec: kopf.Spec, name: str, namespace: str | None, patch: kopf.Patch, **_: Any
) -> dict[str, Any]:
    """Make the Shop's own ConfigMap and remember it."""
    body = {"metadata": {"name": name}, "data": {"owner": spec["owner"]}}
    kopf.adopt(body)
    api = await core()
    async with api.api_client:
        made = await api.create_namespaced_config_map(namespace, body)
    patch.status["phase"] = "Open"
    return {"uid": made.metadata.uid}


@kopf.on.create(*SHOPS, retries=3, backoff=0.1)
def stumble(retry: int, **_: Any) -> int:
    """Fail once, and be tried again."""
    if retry < 1:
        raise kopf.TemporaryError("not yet", delay=0.1)
    return retry


@kopf.on.update(*SHOPS, field="spec.owner")
async def change_owner(
    old: Any,
    new: Any,
    name: str,
    namespace: str | None,
    patch: kopf.Patch,
    body: kopf.Body,
    **_: Any,
) -> None:
    """Tell the ConfigMap of the new owner."""
    api = await core()
    async with api.api_client:
        await api.patch_namespaced_config_map(name, namespace, {"data": {"owner": new}})
    patch.status["former"] = old
    kopf.event(body, type="Normal", reason="Sold", message=f"{old} sold to {new}")


@kopf.on.delete(*SHOPS)
async def close_shop(name: str, namespace: str | None, **_: Any) -> None:
    """Leave a note behind; called again while the daemon takes its time to end."""
    api = await core()
    async with api.api_client:
        body = {"metadata": {"name": f"{name}-closed"}}
        with contextlib.suppress(client.ApiException):
            await api.create_namespaced_config_map(namespace, body)


@kopf.on.resume(*SHOPS)
def resume(patch: kopf.Patch, **_: Any) -> None:
    """Mark what was there before the operator was."""
    patch.status["resumed"] = os.environ["OPERATOR_RUN"]


@kopf.timer(*SHOPS, interval=0.2, labels={"timed": "yes"})
def tick(patch: kopf.Patch, status: kopf.Status, **_: Any) -> None:
    """Count."""
    patch.status["ticks"] = status.get("ticks", 0) + 1


@kopf.daemon(*SHOPS, cancellation_backoff=0.3, cancellation_timeout=1)
async def serve(stopped: kopf.DaemonStopped, name: str, namespace: str | None, **_: Any) -> None:
    """Have a ConfigMap for as long as the Shop is there."""
    api = await core()
    async with api.api_client:
        body = {"metadata": {"name": f"{name}-serving"}}
        await api.create_namespaced_config_map(namespace, body)
        while not stopped:
            await asyncio.sleep(0.1)
        await api.delete_namespaced_config_map(f"{name}-serving", namespace)


@kopf.index(*SHOPS)
def by_owner(spec: kopf.Spec, name: str, **_: Any) -> dict[str, str]:
    """Know Shops by their owners."""
    return {spec["owner"]: name}


@kopf.on.event("", "v1", "configmaps", labels={"watch": "shops"})
async def count_shops(
    body: kopf.Body, namespace: str | None, by_owner: Any = None, **_: Any
) -> None:
    """Write into a labelled ConfigMap how many Shops its owner has."""
    owner = body["data"]["owner"]
    count = str(len(list(by_owner.get(owner, []))))
    if body["data"].get("count") != count:
        api = await core()
        async with api.api_client:
            await api.patch_namespaced_config_map(
                body["metadata"]["name"], namespace, {"data": {"count": count}}
            )
