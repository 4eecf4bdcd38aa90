"""Validation of a pod's volumes.

Source of rules and words: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from orchestrator.resources import names
from orchestrator.resources.errors import FieldError
from orchestrator.resources.problems import (
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    required,
)
from orchestrator.resources.strategies import _projections as files
from orchestrator.resources.strategies import _volume_sources as sources
from orchestrator.resources.strategies._claims import claim_template_problems
from orchestrator.resources.strategies._sharing import Part


def _ephemeral(source: Part, at: str) -> list[FieldError]:
    template = source.get("volumeClaimTemplate")
    if template is None:
        return [required(f"{at}.volumeClaimTemplate")]
    return claim_template_problems(template, f"{at}.volumeClaimTemplate")


_CHECKS: Final[dict[str, sources.SourceCheck]] = {
    "emptyDir": sources.empty_dir_problems,
    "hostPath": sources.host_path_problems,
    "gitRepo": sources.git_repo_problems,
    "gcePersistentDisk": sources.gce_problems,
    "awsElasticBlockStore": sources.aws_problems,
    "secret": files.secret_problems,
    "nfs": sources.nfs_problems,
    "iscsi": sources.iscsi_problems,
    "glusterfs": sources.needs("endpoints", "path"),
    "flocker": sources.flocker_problems,
    "persistentVolumeClaim": sources.needs("claimName"),
    "rbd": sources.needs("monitors", "image"),
    "cinder": sources.cinder_problems,
    "cephfs": sources.needs("monitors"),
    "quobyte": sources.quobyte_problems,
    "downwardAPI": files.downward_problems,
    "fc": sources.fc_problems,
    "flexVolume": sources.flex_problems,
    "configMap": files.config_map_problems,
    "azureFile": sources.needs("secretName", "shareName"),
    "vsphereVolume": sources.needs("volumePath"),
    "photonPersistentDisk": sources.needs("pdID"),
    "portworxVolume": sources.needs("volumeID"),
    "azureDisk": sources.azure_disk_problems,
    "storageos": sources.storage_os_problems,
    "projected": files.projected_problems,
    "scaleIO": sources.needs("gateway", "system", "volumeName"),
    "csi": files.csi_problems,
    "ephemeral": _ephemeral,
    "image": sources.image_problems,
}
"""Types of volumes in upstream's order: of several the first is checked, the others refused."""

_REFUSED_AS: Final = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}
"""How upstream spells these where they are one too many."""


def volume_problems(
    volumes: Iterable[Part], pod: str, at: str, found: list[FieldError]
) -> dict[str, Part]:
    """Check volumes; complaints go to ``found``.

    Args:
        volumes: The pod's.
        pod: Its name, empty in a template or as long as it has none.
        at: Path of the list.
        found: Gathers what is wrong.

    Returns:
        The volumes without fault by name: mounts may refer to these.
    """
    good: dict[str, Part] = {}
    created = (
        {f"{pod}-{volume.get('name')}" for volume in volumes if volume.get("ephemeral") is not None}
        if pod
        else set()
    )
    for index, volume in enumerate(volumes):
        here = f"{at}[{index}]"
        name = volume.get("name") or ""
        problems = _source_problems(volume, name, pod, here)
        if not name:
            problems.append(required(f"{here}.name"))
        else:
            problems += each_invalid(f"{here}.name", name, names.dns_label(name))
        if name in good:
            problems.append(duplicate(f"{here}.name", name))
        if problems:
            found += problems
        else:
            good[name] = volume
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim in created:
            found.append(
                invalid(
                    f"{here}.persistentVolumeClaim.claimName",
                    claim,
                    "must not reference a PVC that gets created for an ephemeral volume",
                )
            )
    return good


def _source_problems(volume: Part, name: str, pod: str, at: str) -> list[FieldError]:
    given = [kind for kind in volume if kind in _CHECKS and volume[kind] is not None]
    if not given:
        return [required(at, "must specify a volume type")]
    if len(given) > 1:
        given = [kind for kind in _CHECKS if kind in given]
    first = given[0]
    found = _CHECKS[first](volume[first], f"{at}.{first}")
    if first == "iscsi":
        portal = volume["iscsi"].get("targetPortal") or ""
        if volume["iscsi"].get("initiatorName") is not None and len(f"{name}:{portal}") > 64:
            found.append(
                invalid(
                    f"{at}.name",
                    name,
                    "Total length of <volume name>:<iscsi.targetPortal> must be under 64 "
                    "characters if iscsi.initiatorName is specified.",
                )
            )
    elif first == "ephemeral" and pod and name:
        claim = f"{pod}-{name}"
        found += [
            invalid(f"{at}.name", name, f'PVC name "{claim}": {problem}')
            for problem in names.dns_subdomain(claim)
        ]
    found += [
        forbidden(f"{at}.{_REFUSED_AS.get(kind, kind)}", "may not specify more than 1 volume type")
        for kind in given[1:]
    ]
    return found
