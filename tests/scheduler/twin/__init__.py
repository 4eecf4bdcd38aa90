"""The slow twin: kube-scheduler's answers by plain loops over raw Kubernetes objects.

Nothing is kept between two questions and nothing is shared with `orchestrator.scheduler`, so that
what both agree on is right for two reasons. Written to be read beside upstream's documentation.
"""

from tests.scheduler.twin.filtering import filter_all
from tests.scheduler.twin.plugin import Rejection
from tests.scheduler.twin.preempting import Preemption, preempt
from tests.scheduler.twin.refusing import fit_error
from tests.scheduler.twin.scoring import score_all
from tests.scheduler.twin.snapshot import DEFAULT_PROFILE, Profile, Snapshot

__all__ = [
    "DEFAULT_PROFILE",
    "Preemption",
    "Profile",
    "Rejection",
    "Snapshot",
    "filter_all",
    "fit_error",
    "preempt",
    "score_all",
]
