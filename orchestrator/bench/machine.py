"""What a figure was measured on: processor, Python, and which version of this package."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any


def describe_machine() -> dict[str, Any]:
    """Return processor, cores, memory, Python and system."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": _memory(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def _memory() -> float | None:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return None
    return round(size / 2**30, 1)


def describe_commit() -> str:
    """Return the commit of this package's checkout, marked when files differ; or its version."""
    package = Path(__file__).resolve().parent
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        tracked = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "ls-files", "--error-unmatch", Path(__file__).name],  # noqa: S607 - whichever git the user has
            cwd=package,
            capture_output=True,
            check=False,
            timeout=10,
        )
        if tracked.returncode == 0:
            done = subprocess.run(  # noqa: S603 - a fixed command
                command, cwd=package, capture_output=True, text=True, check=True, timeout=10
            )
            return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    try:
        return f"version {metadata.version('orchestrator')}"
    except metadata.PackageNotFoundError:
        return "unknown"
