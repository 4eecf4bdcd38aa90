"""What protobuf costs beside JSON: one pod each way, and a list of 500.

    python benchmarks/protobuf.py [--json] [--tiny]

orjson writes JSON in C; the protobuf codec is Python. What counts is therefore how seldom it runs:
the rows *kept* are what readers pay for objects that were read before, and *status* is a pod whose
status alone has changed since. Rates are medians over rounds; the bytes that are made are checked.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import orjson  # noqa: E402 - after the path, so that the script runs from anywhere

from benchmarks._report import Report, options, show  # noqa: E402 - as above
from benchmarks.api import pod  # noqa: E402 - as above
from orchestrator.api._encodings import Messages  # noqa: E402 - as above
from orchestrator.api._shapes import EncodedObjects  # noqa: E402 - as above
from orchestrator.api.protobuf import decode_object, encode_object  # noqa: E402 - as above
from orchestrator.resources.kinds import registry  # noqa: E402 - as above
from orchestrator.resources.strategies import strategy_of  # noqa: E402 - as above

LIST = 500


def stored(name: str) -> dict[str, Any]:
    """Make a running pod with the defaults that the store adds."""
    full = strategy_of(registry().by_key("pods")).default(pod(name))
    moment = "2026-01-02T03:04:05Z"
    metadata = {"uid": f"{name:0>36}", "resourceVersion": "12345", "creationTimestamp": moment}
    return {**full, "metadata": full["metadata"] | metadata, "status": status("Running", moment)}


def status(phase: str, moment: str) -> dict[str, Any]:
    """Make a pod's status as a node reports it."""
    return {
        "phase": phase,
        "podIP": "127.64.0.2",
        "podIPs": [{"ip": "127.64.0.2"}],
        "startTime": moment,
        "conditions": [
            {"type": type_, "status": "True", "lastTransitionTime": moment}
            for type_ in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ],
        "containerStatuses": [
            {
                "name": "web",
                "image": "registry.example/web:1",
                "imageID": "",
                "ready": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": moment}},
                "lastState": {},
            }
        ],
    }


def rate(work: Callable[[], Any], seconds: float) -> float:
    """Times per second that work is done, the best of five rounds."""
    found = []
    for _ in range(5):
        count, begin = 0, time.perf_counter()
        while (spent := time.perf_counter() - begin) < seconds / 5:
            work()
            count += 1
        found.append(count / spent)
    return statistics.median(found)


def main() -> int:
    """Run the benchmark."""
    arguments = options("protobuf beside JSON").parse_args()
    seconds = 0.05 if arguments.tiny else 2.0
    report = Report(benchmark="protobuf", seed=arguments.seed, tiny=arguments.tiny)
    one = stored("web")
    json, binary = orjson.dumps(one), encode_object(one)
    assert encode_object(decode_object(binary)) == binary
    for name, work in (
        ("pod, encode JSON", lambda: orjson.dumps(one)),
        ("pod, encode protobuf", lambda: encode_object(one)),
        ("pod, decode JSON", lambda: orjson.loads(json)),
        ("pod, decode protobuf", lambda: decode_object(binary)),
    ):
        report.add(name, 1e6 / rate(work, seconds), "µs")
    spec = one["spec"]
    pods = [{**stored(f"web-{number}"), "spec": spec} for number in range(LIST)]
    head = {"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "1"}}

    def json_list(kept: EncodedObjects) -> bytes:
        return b"".join((orjson.dumps(head)[:-1], b',"items":[', b",".join(kept.many(pods)), b"]}"))

    messages, objects = Messages(), EncodedObjects()
    whole = messages.respond_list(head, pods, stored=True).body
    assert len(decode_object(whole)["items"]) == LIST
    for name, work in (
        ("list, JSON, first", lambda: json_list(EncodedObjects())),
        ("list, JSON, kept", lambda: json_list(objects)),
        ("list, protobuf, first", lambda: Messages().respond_list(head, pods, stored=True)),
        ("list, protobuf, kept", lambda: messages.respond_list(head, pods, stored=True)),
    ):
        report.add(f"{name} ({LIST} pods)", 1e3 / rate(work, seconds), "ms")

    def changed() -> bytes:
        return messages.object({**one, "status": status("Running", "2026-01-02T03:04:06Z")})

    report.add("status, protobuf for a watch", 1e6 / rate(changed, seconds), "µs")
    report.add("pod, protobuf / JSON", len(binary) / len(json), "of the bytes")
    show(report, as_json=arguments.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
