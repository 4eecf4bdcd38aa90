"""What the gate before an embedded cluster's API takes for a watch, and for a request without end.

A clock that stands still is held for each request but these, so none may be taken for one by the
name of an object.
"""

from __future__ import annotations

import pytest

from orchestrator.api.gate import is_open_ended, is_watch, with_token_of_path

ONE = "/api/v1/namespaces/default"


@pytest.mark.parametrize(
    ("path", "query", "watches", "goes_on"),
    [
        ("/api/v1/pods", "watch=true", True, True),
        ("/api/v1/pods", "watch=false", False, False),
        ("/api/v1/watch/pods", "", True, True),
        ("/apis/apps/v1/watch/namespaces/default/deployments", "", True, True),
        (f"{ONE}/pods/web/log", "follow=true", False, True),
        (f"{ONE}/pods/web/exec", "", False, True),
        (f"{ONE}/services/web/proxy/metrics", "", False, True),
        ("/api/v1/nodes/node-1/proxy/stats", "", False, True),
        ("/api/v1/namespaces/watch", "", False, False),
        ("/api/v1/namespaces/watch/pods", "", False, False),
        ("/apis/apps/v1/namespaces/watch/deployments/web", "", False, False),
        (f"{ONE}/configmaps/exec", "", False, False),
        (f"{ONE}/configmaps/proxy", "", False, False),
        (f"{ONE}/pods/attach", "", False, False),
        ("/version", "", False, False),
    ],
)
def test_a_watch_is_known_by_where_the_word_stands(
    path: str, query: str, watches: bool, goes_on: bool
) -> None:
    """Not by what an object or its namespace is called."""
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode()}
    assert is_watch(scope) is watches
    assert is_open_ended(scope) is goes_on


def test_a_token_in_the_path_is_as_good_as_one_in_a_header() -> None:
    """For programs that show none without TLS; the rest of the path is what they ask for."""
    scope = {
        "path": "/.token/a.b-c_d/api/v1/nodes",
        "raw_path": b"/.token/a.b-c_d/api/v1/nodes",
        "headers": [(b"accept", b"*/*"), (b"authorization", b"Bearer old")],
        "method": "GET",
    }
    assert with_token_of_path(scope) == {
        "path": "/api/v1/nodes",
        "raw_path": b"/api/v1/nodes",
        "headers": [(b"accept", b"*/*"), (b"authorization", b"Bearer a.b-c_d")],
        "method": "GET",
    }
