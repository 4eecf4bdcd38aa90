"""Printing: objects as the rows that ``kubectl get`` shows."""

from orchestrator.resources.printing.columns import Column, Printer
from orchestrator.resources.printing.durations import human_duration, since
from orchestrator.resources.printing.pods import pod_status
from orchestrator.resources.printing.tables import (
    PRINTERS,
    partial_object_metadata,
    printer_of,
    table,
)

__all__ = [
    "PRINTERS",
    "Column",
    "Printer",
    "human_duration",
    "partial_object_metadata",
    "pod_status",
    "printer_of",
    "since",
    "table",
]
