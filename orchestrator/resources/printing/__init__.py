"""Printing: objects as the rows that ``kubectl get`` shows."""

from typing import TYPE_CHECKING

from orchestrator.lazily import exports

if TYPE_CHECKING:
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

__getattr__ = exports(
    __name__,
    {
        "PRINTERS": "orchestrator.resources.printing.tables",
        "Column": "orchestrator.resources.printing.columns",
        "Printer": "orchestrator.resources.printing.columns",
        "human_duration": "orchestrator.resources.printing.durations",
        "partial_object_metadata": "orchestrator.resources.printing.tables",
        "pod_status": "orchestrator.resources.printing.pods",
        "printer_of": "orchestrator.resources.printing.tables",
        "since": "orchestrator.resources.printing.durations",
        "table": "orchestrator.resources.printing.tables",
    },
)
