"""The names of the published formats that are imported."""

from __future__ import annotations

import enum


class Format(enum.StrEnum):
    """A published format, or the project's own."""

    OPENB = "openb"
    GOOGLE = "google"
    AZURE = "azure"
    OWN = "own"
