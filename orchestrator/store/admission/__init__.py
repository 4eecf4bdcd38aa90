"""What happens to an object between the request and the sequencer."""

from orchestrator.store.admission.chain import Admission, Reader
from orchestrator.store.admission.hooks import AdmissionOperation, Attributes, Caller, Hook

__all__ = ["Admission", "AdmissionOperation", "Attributes", "Caller", "Hook", "Reader"]
