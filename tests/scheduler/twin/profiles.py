"""Random profiles: as a configuration file for the core, and as the twin takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from orchestrator.scheduler.configuration import parse_configuration
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK, Framework
from tests.scheduler.twin.builders import HOST, PREFERRED, REQUIRED, ZONE, Object
from tests.scheduler.twin.snapshot import DEFAULT_PROFILE, WEIGHTS, Profile
from tests.scheduler.twin.strategies import GPU, NODE_TERMS, RACK


@dataclass(frozen=True)
class BothProfiles:
    """One profile, as each of the two wants it."""

    document: Object
    twin: Profile
    core: Framework


DEFAULT = BothProfiles({}, DEFAULT_PROFILE, DEFAULT_FRAMEWORK)

RESOURCES = st.lists(
    st.tuples(st.sampled_from(["cpu", "memory", GPU, "ephemeral-storage"]), st.integers(1, 5)),
    min_size=1,
    max_size=3,
    unique_by=lambda resource: resource[0],
)
SHAPES = st.sampled_from(
    [
        ((0, 0), (100, 10)),
        ((0, 10), (100, 0)),
        ((30, 2), (70, 10)),
        ((10, 10), (33, 1), (90, 7)),
    ]
)
CONSTRAINTS = st.lists(
    st.tuples(
        st.sampled_from([ZONE, HOST, RACK]),
        st.sampled_from(["ScheduleAnyway", "ScheduleAnyway", "DoNotSchedule"]),
        st.integers(1, 3),
    ),
    max_size=2,
    unique_by=lambda constraint: constraint[:2],
)
OFF = ("TaintToleration", "NodePorts", "PodTopologySpread", "InterPodAffinity", "NodeAffinity")
ARGUMENTS = ("fit", "balanced", "spread", "affinity", "nodes", "weights", "off")


@st.composite
def profiles(draw: st.DrawFn) -> BothProfiles:
    """Draw a profile that differs from the default one in a few things."""
    chosen = draw(st.lists(st.sampled_from(ARGUMENTS), min_size=1, max_size=3, unique=True))
    configured: dict[str, Any] = {}
    twin: dict[str, Any] = {}
    plugins: dict[str, Any] = {}
    weights = dict(WEIGHTS)
    if "fit" in chosen:
        strategy = draw(
            st.sampled_from(["MostAllocated", "RequestedToCapacityRatio", "LeastAllocated"])
        )
        resources = draw(RESOURCES)
        scoring: dict[str, Any] = {
            "type": strategy,
            "resources": [{"name": name, "weight": weight} for name, weight in resources],
        }
        twin |= {"strategy": strategy, "resources": tuple(resources)}
        if strategy == "RequestedToCapacityRatio":
            shape = draw(SHAPES)
            points = [{"utilization": at, "score": score} for at, score in shape]
            scoring["requestedToCapacityRatio"] = {"shape": points}
            twin["shape"] = shape
        configured["NodeResourcesFit"] = {"scoringStrategy": scoring}
        match draw(st.sampled_from(["", "name", "group"])):
            case "name":
                configured["NodeResourcesFit"]["ignoredResources"] = [GPU]
                twin["ignored_resources"] = frozenset({GPU})
            case "group":
                configured["NodeResourcesFit"]["ignoredResourceGroups"] = ["example.com"]
                twin["ignored_groups"] = frozenset({"example.com"})
            case _:
                pass
    if "balanced" in chosen:
        names = [name for name, _ in draw(RESOURCES)]
        listed = [{"name": name, "weight": 1} for name in names]
        configured["NodeResourcesBalancedAllocation"] = {"resources": listed}
        twin["balanced"] = tuple(names)
    if "spread" in chosen:
        forms = [
            {"topologyKey": key, "whenUnsatisfiable": action, "maxSkew": skew}
            for key, action, skew in draw(CONSTRAINTS)
        ]
        configured["PodTopologySpread"] = {"defaultConstraints": forms, "defaultingType": "List"}
        twin["default_constraints"] = tuple(forms)
    if "affinity" in chosen:
        weight, ignoring = draw(st.sampled_from([0, 1, 30])), draw(st.booleans())
        configured["InterPodAffinity"] = {
            "hardPodAffinityWeight": weight,
            "ignorePreferredTermsOfExistingPods": ignoring,
        }
        twin |= {"hard_affinity_weight": weight, "ignore_preferred_terms_of_others": ignoring}
    if "nodes" in chosen:
        added: dict[str, Any] = {}
        terms = draw(st.lists(NODE_TERMS, min_size=1, max_size=2))
        if draw(st.booleans()):
            added[REQUIRED] = {"nodeSelectorTerms": terms}
        else:
            added[PREFERRED] = [{"weight": 7, "preference": term} for term in terms]
        configured["NodeAffinity"] = {"addedAffinity": added}
        twin["added_affinity"] = added
    if "weights" in chosen:
        changed = draw(st.dictionaries(st.sampled_from(sorted(WEIGHTS)), st.integers(1, 9)))
        plugins["score"] = {
            "enabled": [{"name": name, "weight": weight} for name, weight in changed.items()],
            "disabled": [{"name": name} for name in changed],
        }
        weights |= changed
    if "off" in chosen:
        off = draw(st.lists(st.sampled_from(OFF), min_size=1, max_size=2, unique=True))
        plugins["filter"] = {"disabled": [{"name": name} for name in off]}
        twin["off"] = frozenset(off)
    document = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "profiles": [
            {
                "schedulerName": "default-scheduler",
                "plugins": plugins,
                "pluginConfig": [{"name": name, "args": args} for name, args in configured.items()],
            }
        ],
    }
    (profile,) = parse_configuration(document).profiles
    return BothProfiles(document, Profile(weights=weights, **twin), Framework(profile))
