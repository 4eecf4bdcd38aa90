"""Tests and simulations of actors: virtual time, seeded order, and a probe."""

from actors.testing._loop import Deadlock, VirtualTimeLoop
from actors.testing._probe import Probe
from actors.testing._virtual import run_virtual, virtual

__all__ = ["Deadlock", "Probe", "VirtualTimeLoop", "run_virtual", "virtual"]
