"""What the tests of the example operators need of pytest."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture
def untidy() -> Iterator[None]:
    """Collect the connections that a library leaves to the collector, before others' tests do."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
