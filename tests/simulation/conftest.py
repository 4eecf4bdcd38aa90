"""Options and quiet for simulations: ``pytest tests/simulation --seed N`` repeats one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.simulation.run import quiet

SEEDS = (3, 16, 76, 156, 323, 1010)
"""Seeds of the ordinary suite; most of them found something once."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let one ask for a seed."""
    parser.addoption("--seed", type=int, default=None, help="run this simulation and no other")
    parser.addoption("--steps", type=int, default=None, help="actions of its workload")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take ``seed`` for the one asked for, or for the fixed ones."""
    if "seed" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--seed", None)
        metafunc.parametrize("seed", SEEDS if asked is None else [asked])


@pytest.fixture
def steps(request: pytest.FixtureRequest) -> int:
    """How many actions of the workload a simulation has."""
    asked = request.config.getoption("--steps", None)
    return 100 if asked is None else int(asked)


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """Keep injected faults out of the report: a trace of one is no news here."""
    before = structlog.get_config()
    quiet()
    yield
    structlog.configure(**before)
