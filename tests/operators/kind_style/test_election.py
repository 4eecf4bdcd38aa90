"""The election as one tests it against kind: processes that are killed, halted and let go on."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest
from lightkube import Client
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import ConfigMap

from tests.operators.kind_style.conftest import Programs, found
from tests.operators.kind_style.pace import Pace
from tests.operators.kit import EXAMPLES

pytestmark = pytest.mark.e2e

LEASE, RENEW, RETRY = 2.0, 1.5, 0.5
"""In place of client-go's 15, 10 and 2 seconds; Leases count in whole ones."""


def holder(client: Client) -> str | None:
    """Return who leads."""
    lease = found(client, Lease, "ledger")
    return lease.spec.holderIdentity if lease is not None else None


def test_leaders_are_followed_and_fenced_off(
    client: Client, pace: Pace, programs: Programs
) -> None:
    """One is killed; the next is halted for longer than its lease, and wakes to find it is over."""
    program = str(EXAMPLES / "election" / "election.py")

    def start(name: str) -> subprocess.Popen[bytes]:
        timing = (f"--lease={LEASE}", f"--renew={RENEW}", f"--retry={RETRY}")
        where = f"--namespace={client.namespace}"
        return programs.start(name, program, f"--identity={name}", where, *timing)

    a = start("a")
    pace.until(lambda: holder(client) == "a")
    b = start("b")
    pace.sleep(1.5, instead_of=5)  # until it has seen the lease
    a.kill()
    killed = time.monotonic()
    pace.until(lambda: holder(client) == "b", instead_of=16)
    assert time.monotonic() - killed > LEASE - RETRY

    start("c")
    pace.sleep(1.5, instead_of=5)
    b.send_signal(signal.SIGSTOP)
    pace.until(lambda: holder(client) == "c", instead_of=16)
    pace.until(lambda: client.get(ConfigMap, "ledger").data["lines"].endswith("c"))
    b.send_signal(signal.SIGCONT)
    pace.until(lambda: "b lost the lead" in programs.said("b"))
    pace.sleep(1.5)
    lines = client.get(ConfigMap, "ledger").data["lines"].split()
    assert set(lines[lines.index("c") :]) == {"c"}
    b.terminate()
    assert b.wait(10) == 0
