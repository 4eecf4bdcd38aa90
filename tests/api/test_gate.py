"""What the gate before an embedded cluster's API takes for a watch, and for a request without end.

A clock that stands still is held for each request but these, so none may be taken for one by the
name of an object.
"""

from __future__ import annotations

import pytest

from orchestrator.api.gate import is_open_ended, is_watch

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
