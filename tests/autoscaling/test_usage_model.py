"""What simulated containers use, decided by pure functions."""

from __future__ import annotations

import re

import pytest

from orchestrator.node.usage.courses import amount_at, parse_course
from orchestrator.node.usage.objects import format_window
from orchestrator.node.usage.scripted import Resource, used_by
from orchestrator.resources.objects import Object

MILLI = 10**6
MEBI = 2**20


@pytest.mark.parametrize(
    ("text", "seconds", "request_milli", "milli"),
    [
        ("250m", 0, 0, 250),
        ("2", 1000, 0, 2000),
        ("80%", 0, 500, 400),
        ("80%", 0, 0, 0),
        ("12.5%", 0, 1000, 125),
        ("100m,900m@60s", 59.9, 0, 100),
        ("100m,900m@60s", 60, 0, 900),
        ("100m, 900m@60, 100m@5m", 299, 0, 900),
        ("100m, 900m@60, 100m@5m", 300, 0, 100),
        ("100m,90%@1m30s", 90, 1000, 900),
        ("100m,1@1h", 3600, 0, 1000),
    ],
)
def test_an_amount_counts_from_its_time_on(
    text: str, seconds: float, request_milli: int, milli: int
) -> None:
    """A course is an amount, or several with the time from which each counts."""
    amount = amount_at(parse_course(text), seconds)
    assert amount.of(request_milli * MILLI) == milli * MILLI


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("many", "'many' is neither a quantity nor a percentage"),
        ("", "is neither a quantity nor a percentage"),
        ("-5m", "'-5m' is less than nothing"),
        ("1@5s", "every amount but the first has its time"),
        ("1,2", "every amount but the first has its time"),
        ("1,2@60,3@30", "they are in order"),
        ("1,2@soon", "'soon' is no time"),
    ],
)
def test_a_course_that_cannot_be_read_is_refused(text: str, why: str) -> None:
    """The error says what is wrong, and what to write."""
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_course(text)


def _pod(annotations: dict[str, str], **resources: dict[str, str]) -> tuple[Object, Object]:
    container: Object = {"name": "main", "resources": resources}
    marked = {f"simulation.orchestrator/{key}": value for key, value in annotations.items()}
    pod: Object = {
        "metadata": {"name": "p", "annotations": marked},
        "spec": {"containers": [container, {"name": "side"}]},
    }
    return pod, container


REQUESTS = {"cpu": "500m", "memory": "100Mi"}


@pytest.mark.parametrize(
    ("annotations", "resources", "load", "expected"),
    [
        pytest.param({}, {}, None, (1, 16), id="next-to-nothing-without-requests"),
        pytest.param({}, {"requests": REQUESTS}, None, (50, 50), id="a-share-of-requests"),
        pytest.param({"cpu-usage": "70m"}, {"requests": REQUESTS}, None, (70, 50), id="as-said"),
        pytest.param({"main.cpu-usage": "70m", "cpu-usage": "9"}, {}, None, (70, 16), id="by-name"),
        pytest.param({"side.cpu-usage": "70m"}, {}, None, (1, 16), id="another-container"),
        pytest.param({"memory-usage": "1Gi"}, {}, None, (1, 1024), id="memory"),
        pytest.param({}, {"requests": REQUESTS}, 800, (800, 50), id="load-instead-of-idling"),
        pytest.param({"cpu-usage": "70m"}, {}, 800, (870, 16), id="load-on-top-of-what-is-said"),
        pytest.param({}, {"limits": {"cpu": "300m"}}, 800, (300, 16), id="limits-throttle"),
        pytest.param(
            {"memory-usage": "1Gi"},
            {"limits": {"memory": "64Mi"}},
            None,
            (1, 64),
            id="limits-of-memory",
        ),
    ],
)
def test_a_container_uses_what_annotations_say(
    annotations: dict[str, str],
    resources: dict[str, dict[str, str]],
    load: int | None,
    expected: tuple[int, int],
) -> None:
    """Millicores of CPU and MiB for what annotations, requests, limits and loads say."""
    pod, container = _pod(annotations, **resources)

    def shares(resource: Resource, name: str) -> int | None:
        assert name == "main"
        return load * MILLI if load is not None and resource == "cpu" else None

    used = used_by(pod, container, 10.0, shares)
    assert (used.cpu // MILLI, used.memory // MEBI) == expected


def test_the_annotation_that_is_wrong_is_named() -> None:
    """The text is what an Event says."""
    pod, container = _pod({"cpu-usage": "lots"})
    with pytest.raises(ValueError, match=r"annotation simulation.orchestrator/cpu-usage: 'lots'"):
        used_by(pod, container, 0.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (15, "15s"),
        (15.2, "15.2s"),
        (0.25, "250ms"),
        (60, "1m0s"),
        (75.5, "1m15.5s"),
        (3600, "1h0m0s"),
        (0, "1ms"),
    ],
)
def test_windows_are_written_as_go_writes_them(seconds: float, text: str) -> None:
    """``window`` is a Duration."""
    assert format_window(seconds) == text
