"""Faults between clients and the API: refusals, lost answers, delays, cut and stale watches.

The point at which they act is in every request's way; what they are is loaded with the first one.
"""

from typing import TYPE_CHECKING, Final

from orchestrator.api.faults.injecting import ApiFaults, Down
from orchestrator.lazily import exports

if TYPE_CHECKING:
    from orchestrator.api.faults.rules import ApiFault, ApiRequest, Effect, Matching, Schedule

_LATER: Final = ("ApiFault", "ApiRequest", "Effect", "Matching", "Schedule")
__all__ = ["ApiFault", "ApiFaults", "ApiRequest", "Down", "Effect", "Matching", "Schedule"]

__getattr__ = exports(__name__, dict.fromkeys(_LATER, "orchestrator.api.faults.rules"))
