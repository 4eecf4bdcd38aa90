"""Patches of stored objects: only what a patch touches is read again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from orchestrator.store import Store

PODS = "/api/v1/namespaces/default/pods"
TYPES = ("application/merge-patch+json", "application/strategic-merge-patch+json")


def _pod() -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }


@pytest.mark.parametrize("form", TYPES)
async def test_a_status_patch_shares_the_spec_with_the_object_before(
    client: httpx.AsyncClient, store: Store, form: str
) -> None:
    """It is neither decoded, nor copied, nor written to the log again."""
    await client.post(PODS, json=_pod())
    before = store.get("pods", "default", "web") or {}
    answer = await client.patch(
        f"{PODS}/web/status",
        json={"status": {"phase": "Running"}},
        headers={"content-type": form},
    )
    after = store.get("pods", "default", "web") or {}
    assert answer.json()["status"]["phase"] == after["status"]["phase"] == "Running"
    assert after["spec"] is before["spec"]
    assert list(after) == list(before)
    managers = {entry.get("subresource", "") for entry in after["metadata"]["managedFields"]}
    assert managers == {"", "status"}


@pytest.mark.parametrize("form", TYPES)
async def test_unknown_fields_of_a_patch_are_told_and_dropped(
    client: httpx.AsyncClient, store: Store, form: str
) -> None:
    """Beside parts that are kept and inside those that are touched."""
    await client.post(PODS, json=_pod())
    answer = await client.patch(
        f"{PODS}/web",
        json={"colour": "green", "metadata": {"labels": {"app": "db"}, "shade": "dark"}},
        headers={"content-type": form},
    )
    assert answer.status_code == 200, answer.text
    assert set(answer.headers.get_list("warning", split_commas=True)) == {
        '299 - "unknown field \\"colour\\""',
        '299 - "unknown field \\"metadata.shade\\""',
    }
    stored = store.get("pods", "default", "web") or {}
    assert "colour" not in stored
    assert "shade" not in stored["metadata"]
    assert stored["metadata"]["labels"] == {"app": "db"}


@pytest.mark.parametrize("form", TYPES)
async def test_a_bad_label_in_a_patch_is_refused(client: httpx.AsyncClient, form: str) -> None:
    """Metadata is validated although the spec is as it was."""
    await client.post(PODS, json=_pod())
    answer = await client.patch(
        f"{PODS}/web",
        json={"metadata": {"labels": {"app": "not a label"}}},
        headers={"content-type": form},
    )
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
