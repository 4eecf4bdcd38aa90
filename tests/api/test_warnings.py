"""Warning headers stay within what clients take."""

from __future__ import annotations

import httpx
import pytest

from orchestrator import Cluster
from orchestrator.api._responses import WARNINGS_LIMIT, warning_headers
from tests.embedded.kit import on_a_real_loop

JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "work"},
    "spec": {
        "suspend": True,
        "template": {
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "work:1"}]}
        },
    },
}


def test_the_same_warning_is_told_once() -> None:
    """In the order in which they came."""
    assert warning_headers(["b", "a", "b"]) == [
        (b"warning", b'299 - "b"'),
        (b"warning", b'299 - "a"'),
    ]


def test_warnings_that_fit_are_told_whole() -> None:
    """However long one is."""
    (header,) = warning_headers(["x" * WARNINGS_LIMIT])
    assert header[1] == b'299 - "' + b"x" * WARNINGS_LIMIT + b'"'


def test_too_much_text_is_cut_item_by_item() -> None:
    """To 256 characters each, and no more of them than fit together."""
    headers = warning_headers([f"{number:04}" + "x" * 1000 for number in range(50)])
    assert len(headers) == WARNINGS_LIMIT // 256
    assert all(len(text) == len(b'299 - ""') + 256 for _, text in headers)


def test_there_are_never_more_headers_than_clients_take() -> None:
    """Python's and others' give up at a hundred."""
    assert len(warning_headers([str(number) for number in range(500)])) == 80


@pytest.mark.parametrize(
    ("path", "body", "warned"),
    [
        ("/work", {}, True),
        ("", {}, True),
        ("/work", {"propagationPolicy": "Background"}, False),
        ("/work", {"propagationPolicy": "Orphan"}, False),
        ("", {"orphanDependents": False}, False),
    ],
)
@on_a_real_loop
async def test_who_deletes_a_job_without_a_word_of_its_pods_is_warned(
    path: str, body: dict[str, object], warned: bool
) -> None:
    """They stay: pkg/registry/batch/job/storage."""
    async with Cluster(nodes=0, listen=None) as cluster:
        await cluster.apply(JOB)
        async with httpx.AsyncClient(
            transport=cluster.httpx_transport(), base_url="http://cluster"
        ) as client:
            url = f"/apis/batch/v1/namespaces/default/jobs{path}"
            answer = await client.request("DELETE", url, json=body)
    assert answer.status_code == 200
    said = answer.headers.get("warning", "")
    assert ("child pods are preserved by default when jobs are deleted" in said) == warned
