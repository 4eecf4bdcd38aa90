"""What requests came to, counted where they end and cheap enough for every one of them."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final, NamedTuple

from orchestrator.api._routing import Target

BUCKETS: Final = (
    *(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0),
    *(3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)
"""Upper bounds in seconds; those of upstream's ``apiserver_request_duration_seconds``."""

_VERBS: Final = {"POST": "POST", "PUT": "PUT", "PATCH": "PATCH", "DELETE": "DELETE"}
_LONG_RUNNING: Final = frozenset({"exec", "attach", "portforward", "proxy"})
READ_ONLY: Final = frozenset({"GET", "LIST", "WATCH", "HEAD"})


class Labels(NamedTuple):
    """What requests are told apart by; the names are upstream's."""

    verb: str
    group: str
    version: str
    resource: str
    subresource: str
    scope: str
    dry_run: str


class Series:
    """The requests of one set of labels.

    Attributes:
        codes: Requests by HTTP code.
        buckets: Requests by duration, for each of `BUCKETS` and for what is over the last.
        seconds: Durations together.
    """

    __slots__ = ("buckets", "codes", "seconds")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0


class RequestMetrics:
    """Counts requests.

    Attributes:
        series: By labels.
        long_running: Watches and other streams under way, by labels.
        in_flight: Other requests under way, read-only and mutating.
    """

    def __init__(self) -> None:
        self.series: dict[Labels, Series] = {}
        self.long_running: dict[Labels, int] = {}
        self.in_flight = {"readOnly": 0, "mutating": 0}

    def finished(self, labels: Labels, code: int, seconds: float) -> None:
        """Count a request that was answered."""
        series = self.series.get(labels)
        if series is None:
            series = self.series[labels] = Series()
        series.codes[code] = series.codes.get(code, 0) + 1
        series.seconds += seconds
        series.buckets[bisect_left(BUCKETS, seconds)] += 1

    def begun(self, labels: Labels) -> None:
        """Count a stream that begins; `ended` has to follow."""
        self.long_running[labels] = self.long_running.get(labels, 0) + 1

    def ended(self, labels: Labels) -> None:
        """Count a stream out."""
        self.long_running[labels] -= 1


def labels_of(
    method: str, target: Target | None, path: str, *, watch: bool, apply: bool, dry_run: bool
) -> Labels:
    """Return what a request is counted under.

    Args:
        method: HTTP method.
        target: What the path names; None for pages that are no resources.
        path: Of the request.
        watch: It is a watch.
        apply: It is a server-side apply.
        dry_run: Nothing is written.
    """
    dry = "All" if dry_run else ""
    if target is None:
        root = "/" + path.partition("/")[2].partition("/")[0]
        # Anyone may ask for any path: what is not known must not make a series of its own.
        return Labels(method if method in _VERBS else "GET", "", "", "", known_page(root), "", dry)
    kind = target.kind
    scope = "resource" if target.name else "namespace" if target.namespace else "cluster"
    if target.subresource in _LONG_RUNNING:
        verb = "CONNECT"
    elif method in ("GET", "HEAD"):
        verb = "WATCH" if watch else "GET" if target.name else "LIST"
    elif method == "DELETE" and not target.name:
        verb = "DELETECOLLECTION"
    else:
        verb = "APPLY" if apply else _VERBS.get(method, "OTHER")
    return Labels(verb, kind.group, kind.version, kind.plural, target.subresource, scope, dry)


_PAGES: Final = frozenset(
    {
        "/api",
        "/apis",
        "/healthz",
        "/livez",
        "/readyz",
        "/metrics",
        "/openapi",
        "/version",
        "/.well-known",
    }
)


def known_page(root: str) -> str:
    """Return a page's first part, or ``other``."""
    return root if root in _PAGES else "other"
