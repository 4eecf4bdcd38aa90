"""VolumeZone: volumes whose labels name zones or regions."""

from __future__ import annotations

import pytest

from tests.scheduler.volumes.storage import REGION, ZONE, Object, World, claim, uses, volume

ELSEWHERE = ("VolumeZone", ("node(s) had no available volume zone",), False)
OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
OLD_REGION = "failure-domain.beta.kubernetes.io/region"


@pytest.mark.parametrize(
    ("volume_labels", "node_labels", "fits"),
    [
        pytest.param({}, {ZONE: "a"}, True, id="no-labels"),
        pytest.param({ZONE: "a"}, {ZONE: "a"}, True, id="zone"),
        pytest.param({ZONE: "a"}, {ZONE: "b"}, False, id="other-zone"),
        pytest.param({ZONE: "a"}, {}, True, id="node-in-no-zone"),
        pytest.param({ZONE: "a"}, {REGION: "r"}, False, id="node-in-a-region-only"),
        pytest.param({ZONE: "a__b"}, {ZONE: "b"}, True, id="one-of-a-set"),
        pytest.param({ZONE: "a__b"}, {ZONE: "c"}, False, id="none-of-a-set"),
        pytest.param({ZONE: "a__"}, {ZONE: "c"}, True, id="a-wrong-set-is-ignored"),
        pytest.param({ZONE: "a", REGION: "r"}, {ZONE: "a", REGION: "r"}, True, id="both"),
        pytest.param({ZONE: "a", REGION: "r"}, {ZONE: "a", REGION: "s"}, False, id="region"),
        pytest.param({OLD_ZONE: "a"}, {OLD_ZONE: "a"}, True, id="old-labels"),
        pytest.param({OLD_ZONE: "a"}, {ZONE: "a"}, True, id="old-label-new-node"),
        pytest.param({OLD_REGION: "r"}, {REGION: "s"}, False, id="old-region-new-node"),
        pytest.param({ZONE: "a"}, {OLD_ZONE: "a"}, False, id="new-label-old-node"),
    ],
)
def test_volumes_are_used_where_their_labels_say(
    volume_labels: dict[str, str], node_labels: dict[str, str], fits: bool
) -> None:
    """A node without any label of a zone or region takes all."""
    world = World(claim("c", to="pv"), volume("pv", labels=volume_labels))
    world.node("n1", **node_labels)
    assert world.why_not("n1", uses("c")) == (None if fits else ELSEWHERE)


def test_all_volumes_of_a_pod_have_to_agree() -> None:
    """Except those of ephemeral volumes, which upstream does not look at."""
    world = World(
        claim("c", to="pv"), volume("pv", labels={ZONE: "a"}),
        claim("d", to="pw"), volume("pw", labels={ZONE: "b"}),
    ).node("n1", zone="a")  # fmt: skip
    assert world.why_not("n1", uses("c")) is None
    assert world.why_not("n1", uses("c", "d"), "q") == ELSEWHERE
    ephemeral: Object = {"name": "v", "ephemeral": {}}
    ephemeral["ephemeral"]["volumeClaimTemplate"] = {}
    owner = {"kind": "Pod", "name": "e", "uid": "uid-e", "controller": True}
    world.put(claim("e-v", to="pw", ownerReferences=[owner]))
    assert world.why_not("n1", [ephemeral], "e") is None
