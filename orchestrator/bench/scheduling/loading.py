"""Reads workloads from YAML: this package's own, and files that researchers write.

Two shapes are read: a mapping with ``templates`` and ``workloads``, as in this package's
``workloads.yaml``, and scheduler_perf's own ``performance-config.yaml``, a list of cases whose
templates are files beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from orchestrator.bench.scheduling.cases import CaseReader
from orchestrator.bench.scheduling.reading import Fields, parse_yaml, resembling
from orchestrator.bench.scheduling.workloads import Workload, WorkloadError


def built_in() -> list[Workload]:
    """Return the workloads of this package."""
    text = resources.files("orchestrator.bench").joinpath("workloads.yaml").read_text("utf-8")
    return load(text, "workloads.yaml", Path())


def read(file: Path, names: Sequence[str] = ()) -> list[Workload]:
    """Return the workloads of a file.

    Args:
        file: Where they are.
        names: As for `select`: when all of them are there, other cases are not even read, so that
            they may have operations that are unknown here.

    Raises:
        WorkloadError: It cannot be read, or says something that is not understood.
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise WorkloadError(f"cannot read {file}: {why}") from error
    return load(text, file.name, file.parent, names)


def load(text: str, name: str, directory: Path, names: Sequence[str] = ()) -> list[Workload]:
    """Return the workloads that a YAML text describes.

    Args:
        text: The YAML.
        name: What complaints call it.
        directory: Where paths of templates start.
        names: See `read`.

    Raises:
        WorkloadError: It says something that is not understood.
    """
    data = parse_yaml(text, name)
    templates: Mapping[str, Any] = {}
    if isinstance(data, list):
        data = {"workloads": data}
    top = Fields(data, f"{name}: ")
    if "templates" in top:
        templates = top.take("templates", dict)
    reader = CaseReader(name, directory, templates)
    found: list[Workload] = []
    cases = list(top.items("workloads"))
    wanted = {wanted.partition("/")[0].lower() for wanted in names}
    if wanted <= {case.take("name", str).lower() for case in cases}:
        cases = [case for case in cases if not wanted or case.take("name", str).lower() in wanted]
    for case in cases:
        found += reader.case(case)
    top.finish()
    full_names = [workload.full_name for workload in found]
    for workload in found:
        if full_names.count(workload.full_name) > 1:
            raise WorkloadError(
                f"{name}: two workloads are called {workload.full_name}; rename one of them"
            )
    return found


def select(workloads: list[Workload], names: list[str]) -> list[Workload]:
    """Return those of some names, in the order of the file; all of them when none is named.

    Args:
        workloads: What there is.
        names: Of a case, for all its sizes, or ``case/size``; capitals do not matter.

    Raises:
        WorkloadError: There is no such workload.
    """
    wanted = {name.lower() for name in names}
    known = {workload.name for workload in workloads}
    for name in names:
        if not any(name.lower() in _names(workload) for workload in workloads):
            full = {w.full_name for w in workloads} if "/" in name else known
            raise WorkloadError(f"there is no workload {name!r}.{resembling(name, full)}")
    return [w for w in workloads if not wanted or wanted & _names(w)]


def _names(workload: Workload) -> set[str]:
    return {workload.name.lower(), workload.full_name.lower()}
