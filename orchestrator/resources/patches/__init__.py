"""Patches of every type the API takes, as pure functions from object and patch to object."""

from orchestrator.resources.patches._printing import printed
from orchestrator.resources.patches._typed import check_typed
from orchestrator.resources.patches._versions import OtherVersion, Versions
from orchestrator.resources.patches.apply import server_side_apply
from orchestrator.resources.patches.configurations import apply_configuration
from orchestrator.resources.patches.errors import PatchRejectedError
from orchestrator.resources.patches.json_patch import apply_json_patch
from orchestrator.resources.patches.managed_fields import track_update, with_managed_fields
from orchestrator.resources.patches.merge_patch import apply_merge_patch
from orchestrator.resources.patches.strategic import apply_strategic_merge_patch

__all__ = [
    "OtherVersion",
    "PatchRejectedError",
    "Versions",
    "apply_configuration",
    "apply_json_patch",
    "apply_merge_patch",
    "apply_strategic_merge_patch",
    "check_typed",
    "printed",
    "server_side_apply",
    "track_update",
    "with_managed_fields",
]
