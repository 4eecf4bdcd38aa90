"""What happens to an object between the request and the sequencer."""

from orchestrator.store.admission.chain import Admission, Reader

__all__ = ["Admission", "Reader"]
