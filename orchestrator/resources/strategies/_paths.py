"""Rules of paths and file modes that volumes, mounts and profiles share.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from typing import Final

from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import invalid

MODE_WRONG: Final = "must be a number between 0 and 0777 (octal), both inclusive"
_MAX_MODE: Final = 0o777


def mode_problems(field: str, mode: int | None) -> list[FieldError]:
    """Check the mode of files; None is fine."""
    if mode is None or 0 <= mode <= _MAX_MODE:
        return []
    return [invalid(field, mode, MODE_WRONG)]


def no_backsteps(field: str, path: str) -> list[FieldError]:
    """Check that no step of a path leads upwards."""
    if ".." in path and ".." in path.split("/"):
        return [invalid(field, path, "must not contain '..'")]
    return []


def descending_path(field: str, path: str) -> list[FieldError]:
    """Check that a path is relative and leads downwards only."""
    found = [invalid(field, path, "must be a relative path")] if path.startswith("/") else []
    return found + no_backsteps(field, path)


def local_path(field: str, path: str) -> list[FieldError]:
    """Check a file's path inside a volume: relative, and no name that a volume keeps for itself."""
    found = descending_path(field, path)
    if path.startswith("..") and not path.startswith("../"):
        found.append(invalid(field, path, "must not start with '..'"))
    return found
