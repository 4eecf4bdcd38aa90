"""The structure of a KubeSchedulerConfiguration, and reading a document by it, strictly.

Source: k8s.io/kube-scheduler/config/v1 and k8s.io/component-base/config/v1alpha1. What pods have
too (constraints, affinities) is read by the definitions of pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from orchestrator.resources.decoding import DecodeError, convert
from orchestrator.resources.definitions import Definitions, definitions
from orchestrator.scheduler.configuration.points import POINTS

GROUP: Final = "kubescheduler.config.k8s.io"
API_VERSION: Final = f"{GROUP}/v1"
KIND: Final = "KubeSchedulerConfiguration"

_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_INT32: Final = {"type": "integer", "format": "int32"}
_INT64: Final = {"type": "integer", "format": "int64"}
_CORE: Final = "io.k8s.api.core.v1."


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _record(**fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields}


def _args(**fields: Mapping[str, Any]) -> dict[str, Any]:
    return _record(apiVersion=_TEXT, kind=_TEXT, **fields)


_SHAPE: Final = _list(_ref("UtilizationShapePoint"))
_RESOURCES: Final = _list(_ref("ResourceSpec"))

_DEFINITIONS: Final[dict[str, dict[str, Any]]] = {
    KIND: _args(
        parallelism=_INT32,
        leaderElection=_ref("LeaderElectionConfiguration"),
        clientConnection=_ref("ClientConnectionConfiguration"),
        enableProfiling=_FLAG,
        enableContentionProfiling=_FLAG,
        percentageOfNodesToScore=_INT32,
        podInitialBackoffSeconds=_INT64,
        podMaxBackoffSeconds=_INT64,
        profiles=_list(_ref("KubeSchedulerProfile")),
        extenders=_list({"type": "object"}),
        delayCacheUntilActive=_FLAG,
    ),
    "LeaderElectionConfiguration": _record(
        leaderElect=_FLAG,
        leaseDuration=_TEXT,
        renewDeadline=_TEXT,
        retryPeriod=_TEXT,
        resourceLock=_TEXT,
        resourceName=_TEXT,
        resourceNamespace=_TEXT,
    ),
    "ClientConnectionConfiguration": _record(
        kubeconfig=_TEXT,
        acceptContentTypes=_TEXT,
        contentType=_TEXT,
        qps={"type": "number"},
        burst=_INT32,
    ),
    "KubeSchedulerProfile": _record(
        schedulerName=_TEXT,
        percentageOfNodesToScore=_INT32,
        plugins=_ref("Plugins"),
        pluginConfig=_list(_ref("PluginConfig")),
    ),
    "Plugins": _record(**{point: _ref("PluginSet") for point in ("multiPoint", *POINTS)}),
    "PluginSet": _record(enabled=_list(_ref("Plugin")), disabled=_list(_ref("Plugin"))),
    "Plugin": _record(name=_TEXT, weight=_INT32),
    "PluginConfig": _record(name=_TEXT, args={"type": "object"}),
    "UtilizationShapePoint": _record(utilization=_INT32, score=_INT32),
    "ResourceSpec": _record(name=_TEXT, weight=_INT64),
    "ScoringStrategy": _record(
        type=_TEXT,
        resources=_RESOURCES,
        requestedToCapacityRatio=_ref("RequestedToCapacityRatioParam"),
    ),
    "RequestedToCapacityRatioParam": _record(shape=_SHAPE),
    "DefaultPreemptionArgs": _args(
        minCandidateNodesPercentage=_INT32, minCandidateNodesAbsolute=_INT32
    ),
    "InterPodAffinityArgs": _args(
        hardPodAffinityWeight=_INT32, ignorePreferredTermsOfExistingPods=_FLAG
    ),
    "NodeAffinityArgs": _args(addedAffinity=_ref(f"{_CORE}NodeAffinity")),
    "NodeResourcesFitArgs": _args(
        ignoredResources=_list(_TEXT),
        ignoredResourceGroups=_list(_TEXT),
        scoringStrategy=_ref("ScoringStrategy"),
    ),
    "NodeResourcesBalancedAllocationArgs": _args(resources=_RESOURCES),
    "PodTopologySpreadArgs": _args(
        defaultConstraints=_list(_ref(f"{_CORE}TopologySpreadConstraint")), defaultingType=_TEXT
    ),
    "VolumeBindingArgs": _args(bindTimeoutSeconds=_INT64, shape=_SHAPE),
}
_ARGS: Final = "Args"


class StructureError(ValueError):
    """A document that is no KubeSchedulerConfiguration; the message is upstream's decoder's."""


@cache
def _definitions() -> Definitions:
    return definitions().extended(_DEFINITIONS)


def decode(document: Any) -> tuple[dict[str, Any], list[str]]:
    """Read a document; also return what a strict decoder says of fields it does not know.

    Arguments of plugins from elsewhere stay as they are.

    Raises:
        StructureError: Not this kind or version, or a value of the wrong type.
    """
    if not isinstance(document, dict):
        raise StructureError(f"expected a {KIND}, a mapping, got {type(document).__name__}")
    _check_kind(document, document)
    config, complaints = _read(document, KIND, "")
    profiles = []
    for number, profile in enumerate(config.get("profiles") or ()):
        entries = []
        for index, entry in enumerate(profile.get("pluginConfig") or ()):
            kept, complaint = _decode_entry(entry, f".profiles[{number}].pluginConfig[{index}]")
            entries.append(kept)
            if complaint:
                complaints.append(complaint)
        profiles.append({**profile, "pluginConfig": entries})
    return {**config, "profiles": profiles}, complaints


def has_arguments(plugin: str) -> bool:
    """Tell whether a built-in plugin of this name takes arguments."""
    return plugin + _ARGS in _DEFINITIONS


def _decode_entry(entry: dict[str, Any], at: str) -> tuple[dict[str, Any], str]:
    name = entry.get("name") or ""
    kind = name + _ARGS
    if not has_arguments(name):
        return entry, ""
    args = entry.get("args") or {}
    where = f"decoding {at}: "
    found = args.get("kind") or kind
    group = str(args.get("apiVersion") or API_VERSION).rpartition("/")[0]
    if (found, group) != (kind, GROUP):
        raise StructureError(
            f"{where}args for plugin {name} were not of type {kind}.{GROUP}, got {found}.{group}"
        )
    strict = f"decoding args for plugin {name}: "
    try:
        decoded, complaints = _read(args, kind, where + strict)
    except RecursionError:
        raise StructureError(f"{where}{strict}nested too deeply") from None
    if not complaints:
        return {**entry, "args": decoded}, ""
    # Each level of upstream's decoder announces itself.
    error = "strict decoding error: "
    return {**entry, "args": decoded}, f"{where}{error}{strict}{error}{', '.join(complaints)}"


def _read(value: dict[str, Any], name: str, where: str) -> tuple[dict[str, Any], list[str]]:
    try:
        found, unknown = convert(value, _definitions().definition(name))
    except DecodeError as error:
        raise StructureError(f"{where}{error}") from None
    return found, [f'unknown field "{field}"' for field in unknown]


def _check_kind(document: Mapping[str, Any], shown: Any) -> None:
    kind, version = document.get("kind"), document.get("apiVersion")
    if not kind:
        raise StructureError(f"Object 'Kind' is missing in '{shown}'")
    if not version:
        raise StructureError(f"Object 'apiVersion' is missing in '{shown}'")
    if version != API_VERSION:
        hint = f"; write {API_VERSION}" if kind == KIND else ""
        raise StructureError(f'no kind "{kind}" is registered for version "{version}"{hint}')
    if kind != KIND:
        raise StructureError(f"couldn't decode as {KIND}, got {GROUP}/v1, Kind={kind}")
