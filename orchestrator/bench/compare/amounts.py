"""Amounts of what the reports speak of: CPU, memory, GPUs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

RESOURCES: Final = ("cpu", "memory", "gpu")


class Amounts(NamedTuple):
    """Amounts of each of `RESOURCES`.

    Attributes:
        cpu: Millicores.
        memory: Bytes.
        gpu: Thousandths of a device.
    """

    cpu: int = 0
    memory: int = 0
    gpu: int = 0

    def plus(self, other: Amounts) -> Amounts:
        """Return the sum."""
        return Amounts(self.cpu + other.cpu, self.memory + other.memory, self.gpu + other.gpu)

    def minus(self, other: Amounts) -> Amounts:
        """Return the difference."""
        return Amounts(self.cpu - other.cpu, self.memory - other.memory, self.gpu - other.gpu)

    def share_of(self, whole: Amounts) -> Shares:
        """Return how much of another amount this is; None where there is nothing of it."""
        return Shares(
            *(part / all_ if all_ else None for part, all_ in zip(self, whole, strict=True))
        )


class Shares(NamedTuple):
    """A share, 0 to 1, for each of `RESOURCES`; None where a cluster has none of it."""

    cpu: float | None = None
    memory: float | None = None
    gpu: float | None = None


def gpu_milli(extended: Iterable[tuple[str, int]]) -> int:
    """Return how many thousandths of GPUs some extended resources are.

    A resource counts as whole devices if its name ends in ``/gpu`` (``nvidia.com/gpu``), and as
    thousandths if it ends in ``/gpu-milli`` (``alibabacloud.com/gpu-milli``).
    """
    total = 0
    for name, value in extended:
        if name.endswith("/gpu"):
            total += 1000 * value
        elif name.endswith("/gpu-milli"):
            total += value
    return total
