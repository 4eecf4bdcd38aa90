"""What process trees use, read from ``/proc``.

One file for each process of the machine says all that is needed: parent, session, CPU time with
that of children which have ended, and resident memory. psutil was tried: it has no session ids,
reads several files for the same, and takes three times as long, besides 20 ms to load.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

Measure = Callable[[], Awaitable[Mapping[str, "Reading"]]]
"""Reads what every running container has used so far, by container id."""

_MARKER: Final = b"ORCHESTRATOR_CONTAINER="


class Reading(NamedTuple):
    """What a container's processes have used.

    Attributes:
        cpu: Seconds of CPU time so far; less than before when a process ended that nobody of the
            container waited for.
        memory: Resident bytes now.
    """

    cpu: float
    memory: int


class _Process(NamedTuple):
    parent: int
    session: int
    ticks: int
    pages: int


def read_trees(
    roots: Mapping[int, str], supervisor: int, proc: Path = Path("/proc")
) -> dict[str, Reading]:
    """Add up what the processes of containers use; blocking, some 15 µs for each on the machine.

    Args:
        roots: Main processes with their container's id.
        supervisor: Process that becomes the parent of what containers leave behind.
        proc: Where the kernel tells.
    """
    processes = dict(_processes(proc))
    owners: dict[int, str] = {pid: id_ for pid, id_ in roots.items() if pid in processes}
    known = {id_: [0, 0] for id_ in owners.values()}
    for pid, process in processes.items():
        owner = _owner(pid, processes, roots, owners, supervisor, proc)
        if owner in known:
            known[owner][0] += process.ticks
            known[owner][1] += process.pages
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    return {id_: Reading(ticks / tick, pages * page) for id_, (ticks, pages) in known.items()}


def _processes(proc: Path) -> list[tuple[int, _Process]]:
    found = []
    for name in os.listdir(proc):  # noqa: PTH208 - a Path for each entry would take most of the time
        if not name.isdigit():
            continue
        try:
            with open(f"{proc}/{name}/stat", "rb") as file:  # noqa: PTH123 - likewise
                # The command may hold anything; what follows its last bracket does not.
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue  # it has ended
        ticks = sum(map(int, fields[11:15]))
        found.append((int(name), _Process(int(fields[1]), int(fields[3]), ticks, int(fields[21]))))
    return found


def _owner(
    pid: int,
    processes: Mapping[int, _Process],
    roots: Mapping[int, str],
    owners: dict[int, str],
    supervisor: int,
    proc: Path,
) -> str:
    """Return the id of a process' container, ``""`` for none; ``owners`` remembers."""
    chain = []
    found = ""
    while pid not in owners:
        process = processes.get(pid)
        if process is None or pid in chain:
            break
        chain.append(pid)
        if process.session in roots:
            found = roots[process.session]
            break
        if process.parent == supervisor:
            found = _marked(pid, proc)
            break
        pid = process.parent
    else:
        found = owners[pid]
    owners.update(dict.fromkeys(chain, found))
    return found


def _marked(pid: int, proc: Path) -> str:
    """Return the container that an orphan was started in, by what it inherited."""
    try:
        with open(f"{proc}/{pid}/environ", "rb") as file:  # noqa: PTH123 - as above
            for variable in file.read().split(b"\0"):
                if variable.startswith(_MARKER):
                    return variable.removeprefix(_MARKER).decode()
    except OSError:
        return ""
    return ""
