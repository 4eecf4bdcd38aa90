"""Patches of every type the API takes, as pure functions from object and patch to object."""

from typing import TYPE_CHECKING

from orchestrator.lazily import exports

if TYPE_CHECKING:
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

__getattr__ = exports(
    __name__,
    {
        "OtherVersion": "orchestrator.resources.patches._versions",
        "PatchRejectedError": "orchestrator.resources.patches.errors",
        "Versions": "orchestrator.resources.patches._versions",
        "apply_configuration": "orchestrator.resources.patches.configurations",
        "apply_json_patch": "orchestrator.resources.patches.json_patch",
        "apply_merge_patch": "orchestrator.resources.patches.merge_patch",
        "apply_strategic_merge_patch": "orchestrator.resources.patches.strategic",
        "check_typed": "orchestrator.resources.patches._typed",
        "printed": "orchestrator.resources.patches._printing",
        "server_side_apply": "orchestrator.resources.patches.apply",
        "track_update": "orchestrator.resources.patches.managed_fields",
        "with_managed_fields": "orchestrator.resources.patches.managed_fields",
    },
)
