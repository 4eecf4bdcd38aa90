"""Time comes from the clock that a part was handed, chance from the system's generator.

Whoever asks the machine instead makes a simulation that can't be repeated. The few places that must
are listed here with their reasons.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROCESS = "the supervisor is a process of its own, without the runtime: it watches real processes"
OWN_USE = "measures this very process for the terminal; nothing is decided by it"
MEASURED = "a benchmark measures the machine's own time"
TOKEN = "a token's identifier stands outside the seed, as the token does"
OUTSIDE = "calls that leave the cluster are no part of a seed's history"
ALLOWED = {
    "actors/_clocks.py": "the clock itself",
    "actors/_system.py": "a system that is given no seed draws one, and tells it",
    "actors/_virtual_clock.py": "how long others work in real time before its own moves on",
    "orchestrator/api/_requests.py": "audit ids must differ between runs",
    "orchestrator/api/_token_requests.py": TOKEN,
    "orchestrator/api/application.py": "generated names must differ between runs",
    "orchestrator/api/tokens.py": "a token must not be guessed",
    "orchestrator/bench/deploying.py": MEASURED,
    "orchestrator/bench/planning/explaining.py": MEASURED,
    "orchestrator/bench/scheduling/_core_driver.py": MEASURED,
    "orchestrator/bench/scheduling/_store_driver.py": MEASURED,
    "orchestrator/bench/scheduling/baseline.py": MEASURED,
    "orchestrator/bench/scheduling/curves.py": MEASURED,
    "orchestrator/bench/scheduling/running.py": MEASURED,
    "orchestrator/cli/collector.py": OWN_USE,
    "orchestrator/cli/demo/story.py": OWN_USE,
    "orchestrator/cli/up.py": OWN_USE,
    "orchestrator/cluster/cluster.py": OUTSIDE,
    "orchestrator/embedded/access/kubeconfigs.py": TOKEN,
    "orchestrator/embedded/clock/wall_clocks.py": "what stands in for the clock has to know it",
    "orchestrator/cli/past/reading.py": OWN_USE,
    "orchestrator/node/volumes/tokens.py": TOKEN,
    "orchestrator/node/process/runtime.py": "the supervisor's key must not be guessed",
    "orchestrator/node/process/supervisor/clients.py": PROCESS,
    "orchestrator/node/process/supervisor/containers.py": PROCESS,
    "orchestrator/node/process/supervisor/logfiles.py": PROCESS,
    "orchestrator/node/process/supervisor/pumping.py": PROCESS,
    "orchestrator/node/process/supervisor/recovery.py": PROCESS,
    "orchestrator/node/process/supervisor/service.py": PROCESS,
    "orchestrator/node/process/supervisor/sessions.py": PROCESS,
    "orchestrator/webhooks/conversion.py": "reviews are told apart by their ids, in every run",
    "orchestrator/testing/plugin.py": "a test that is given no seed draws one, and tells it",
    "orchestrator/store/identities.py": "uids must differ between runs, except in a seeded cluster",
    "orchestrator/webhooks/admission.py": OUTSIDE,
}
"""Module → why it may ask the machine."""

CLOCKS = {
    f"time.{name}{suffix}"
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time")
    for suffix in ("", "_ns")
}
CLOCKS |= {"time.sleep", "time.localtime", "time.gmtime", "time.ctime"}
CLOCKS |= {f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")}
CLOCKS |= {"datetime.date.today"}
CHANCE = {"os.urandom", "os.getrandom", "uuid.uuid1", "uuid.uuid4", "random.SystemRandom"}


def imported(tree: ast.Module) -> dict[str, str]:
    """Return local name → full name of everything that a module imports from elsewhere."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                local = one.asname or one.name.partition(".")[0]
                names[local] = one.name if one.asname else local
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for one in node.names:
                names[one.asname or one.name] = f"{node.module}.{one.name}"
    return names


def full_name(node: ast.expr, names: dict[str, str]) -> str:
    """Return what an expression like ``datetime.now`` names in full, ``""`` for other ones."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        base = full_name(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return ""


def offences(source: str) -> Iterator[str]:
    """Yield ``line: name`` for each use of the machine's time or chance."""
    tree = ast.parse(source)
    names = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = full_name(node.func, names)
            if name == "random.Random" and not node.args:
                yield f"{node.lineno}: random.Random() without a seed"
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        name = full_name(node, names)
        module, _, last = name.rpartition(".")
        if (
            name in CLOCKS | CHANCE
            or module == "secrets"
            or (module == "random" and last not in {"Random", "SystemRandom"})
        ):
            yield f"{node.lineno}: {name}"


def test_time_and_chance_are_handed_in() -> None:
    """No module asks the machine but those with a reason; no reason outlives its need."""
    found = {}
    for tree in ("actors", "orchestrator"):
        for path in (ROOT / tree).rglob("*.py"):
            asked = list(offences(path.read_text(encoding="utf-8")))
            if asked:
                found[path.relative_to(ROOT).as_posix()] = asked
    assert {name: asked for name, asked in found.items() if name not in ALLOWED} == {}
    assert ALLOWED.keys() - found.keys() == set(), "no longer needed in ALLOWED"


@pytest.mark.parametrize(
    "source",
    [
        "import time\nnow = time.time()",
        "import time as t\nclock = t.monotonic",
        "from time import monotonic as m\nm()",
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.datetime.now(datetime.UTC)",
        "import random\nrandom.choice([1])",
        "from random import shuffle\nshuffle([])",
        "import random\nrandom.Random()",
        "from uuid import uuid4\nuuid4()",
        "import os\nos.urandom(8)",
        "import secrets\nsecrets.token_hex()",
    ],
)
def test_every_way_to_ask_is_found(source: str) -> None:
    """However it is imported."""
    assert list(offences(source))


@pytest.mark.parametrize(
    "source",
    [
        "import random\ndef f(chance: random.Random) -> None: chance.choice([1])",
        "import random\nrandom.Random(7)",
        "def f(time): time.time()",
        "import datetime\ndatetime.datetime.fromtimestamp(0, datetime.UTC)",
    ],
)
def test_what_was_handed_in_is_no_offence(source: str) -> None:
    """A generator with a seed, a parameter that is called like a module."""
    assert not list(offences(source))
