"""Options and quiet for simulations: ``pytest tests/simulation --seed N`` repeats one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.simulation.run import quiet

FOUND = (323, 1010)
"""Seeds beyond the first ones that found something once."""
ORDINARY = 300
"""How many seeds the suite runs unless told otherwise."""
STEPS = 60
PORTION = 10
"""Seeds of one test: a test of its own for each would cost more than some lives do."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let one ask for a seed, or for many."""
    parser.addoption("--seed", type=int, default=None, help="run this simulation and no other")
    parser.addoption("--seeds", type=int, default=ORDINARY, help="how many simulations to run")
    parser.addoption("--steps", type=int, default=None, help="actions of its workload")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take ``seeds`` for the one asked for, or for many, in portions."""
    if "seeds" not in metafunc.fixturenames:
        return
    asked = metafunc.config.getoption("--seed", None)
    if asked is not None:
        metafunc.parametrize("seeds", [[asked]], ids=[f"seed{asked}"])
        return
    count = metafunc.config.getoption("--seeds", ORDINARY)
    found = [*range(1, count + 1), *(seed for seed in FOUND if seed > count)]
    portions = [found[at : at + PORTION] for at in range(0, len(found), PORTION)]
    names = [f"seeds{portion[0]}to{portion[-1]}" for portion in portions]
    metafunc.parametrize("seeds", portions, ids=names)


@pytest.fixture
def steps(request: pytest.FixtureRequest) -> int:
    """How many actions of the workload a simulation has."""
    asked = request.config.getoption("--steps", None)
    return STEPS if asked is None else int(asked)


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """Keep injected faults out of the report: a trace of one is no news here."""
    before = structlog.get_config()
    quiet()
    yield
    structlog.configure(**before)
