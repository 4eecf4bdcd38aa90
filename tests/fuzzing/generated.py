"""Requests generated from the published OpenAPI: no answer is a 5xx, none is off its schema.

    python -m tests.fuzzing.generated --count 20000 --seed 1

Schemathesis makes parameters and bodies out of the document that the server itself publishes. Half
of them are led to where something is: a namespace and names that exist, metadata that is valid, so
that not all of it ends at the first check. Every failure is printed with the request to repeat it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from rich.console import Console
from rich.progress import Progress
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.fuzzing.server import Served, served

SKIPPED = ("/watch/", "/proxy", "/exec", "/attach", "/portforward", "/log")
"""Paths that stream or lead elsewhere."""

NAMES = ("a", "b", "web")
ANSWER_SECONDS = 30.0
IMPLEMENTED = (501,)
KNOWN = ("eventTime",)
"""Fields that upstream writes as null although its own schema says text."""


@dataclass
class Outcome:
    """What a run came to.

    Attributes:
        codes: Answers by HTTP code.
        failures: Each with the request that shows it.
        operations: Operations that were asked for at least once.
    """

    codes: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    operations: set[str] = field(default_factory=set)


def documents(server: Served) -> Iterator[dict[str, Any]]:
    """Yield the OpenAPI v3 document of every group and version."""
    index = server.get("/openapi/v3")
    for path in index["paths"].values():
        yield server.get(path["serverRelativeURL"])


def operations(document: dict[str, Any]) -> list[Any]:
    """Return the operations of a document that answer and end."""
    schema = schemathesis.openapi.from_dict(document)
    found = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if not any(part in operation.path for part in SKIPPED):
            found.append(operation)
    return found


def led(case: Any, chance: random.Random) -> None:
    """Lead a case to where something is, half of the time."""
    if chance.random() < 0.3:
        return
    parameters = case.path_parameters or {}
    if "namespace" in parameters:
        parameters["namespace"] = "default"
    if "name" in parameters:
        parameters["name"] = chance.choice(NAMES)
    if isinstance(case.body, dict) and case.method.upper() in ("POST", "PUT"):
        metadata = {"name": parameters.get("name") or chance.choice(NAMES)}
        case.body = {**case.body, "metadata": metadata}
        case.body.pop("apiVersion", None)
        case.body.pop("kind", None)
    if isinstance(case.query, dict):
        case.query.pop("watch", None)
        if chance.random() < 0.8:
            for name in ("dryRun", "fieldManager", "fieldValidation", "force", "continue"):
                case.query.pop(name, None)


def ask(case: Any, server: Served, outcome: Outcome) -> None:
    """Make one request and check its answer."""
    watches = isinstance(case.query, dict) and "watch" in case.query
    if watches:
        case.query["timeoutSeconds"] = 1
    label = f"{case.method.upper()} {case.operation.path}"
    outcome.operations.add(label)
    try:
        answer = case.call(base_url=server.url, timeout=ANSWER_SECONDS, session=server.session)
    except requests.RequestException as error:
        if isinstance(error, requests.exceptions.InvalidHeader | requests.exceptions.InvalidURL):
            return
        outcome.failures.append(f"{label}: {error!r}\n  {case.as_curl_command()}")
        return
    outcome.codes[answer.status_code] += 1
    if answer.status_code in IMPLEMENTED:
        return
    # A watch is a stream of documents, and a client that wants only names gets another schema.
    checks = [not_a_server_error] if watches else [not_a_server_error, response_schema_conformance]
    try:
        case.validate_response(answer, checks=checks)
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - whatever it is, it is told
        if any(f'"{name}":null' in answer.text.replace(" ", "") for name in KNOWN):
            return
        parts = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
        text = "; ".join(" ".join(str(part).split()) for part in parts)
        body = answer.content[:300].decode("utf-8", "replace")
        outcome.failures.append(
            f"{label} -> {answer.status_code}: {text[:700]}\n  {body}\n  {case.as_curl_command()}"
        )


def run(count: int, seed: int, *, progress: bool = False) -> Outcome:
    """Ask about ``count`` requests, spread evenly over a random choice of operations.

    Args:
        count: How many.
        seed: Of the choice and of everything generated.
        progress: Show a bar.
    """
    chance = random.Random(seed)
    outcome = Outcome()
    with served() as server, contextlib.ExitStack() as stack:
        every = [operation for document in documents(server) for operation in operations(document)]
        chance.shuffle(every)
        each = max(3, -(-count // len(every)))
        chosen = every[: -(-count // each)]
        bar = stack.enter_context(Progress(console=Console(stderr=True))) if progress else None
        task = bar.add_task("requests", total=len(chosen)) if bar else None
        for operation in chosen:
            _ask_often(operation, each, server, outcome, chance)
            if bar is not None and task is not None:
                bar.advance(task)
        server.check()
    return outcome


def _ask_often(
    operation: Any, each: int, server: Served, outcome: Outcome, chance: random.Random
) -> None:
    number = chance.getrandbits(32)

    @seeded(number)
    @settings(
        max_examples=each,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy())
    def ask_one(case: Any) -> None:
        led(case, chance)
        ask(case, server, outcome)

    ask_one()


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    outcome = run(arguments.count, arguments.seed, progress=sys.stderr.isatty())
    total = sum(outcome.codes.values())
    codes = ", ".join(f"{code}: {number}" for code, number in sorted(outcome.codes.items()))
    asked = f"{total} requests to {len(outcome.operations)} operations ({codes})"
    lines = [*outcome.failures, f"{asked}, {len(outcome.failures)} failures"]
    if arguments.json:
        found = {"requests": total, "codes": outcome.codes, "failures": outcome.failures}
        lines = [json.dumps(found)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
