"""LimitRanger: defaults for containers, and what pods and claims are held to."""

from __future__ import annotations

from typing import Any

import pytest

Part = dict[str, Any]


def container(requests: Part | None = None, limits: Part | None = None) -> Part:
    """Return a container's resources."""
    resources = {"requests": requests, "limits": limits}
    return {"resources": {side: amounts for side, amounts in resources.items() if amounts}}


async def limits(admitting: Any, *items: Part) -> None:
    """Make the namespace's LimitRange."""
    await admitting.given("limitranges", "v1", "LimitRange", spec={"limits": list(items)})


CASES: list[tuple[str, Part, Part, str]] = [
    (
        "limit over the maximum",
        {"type": "Container", "max": {"cpu": "100m"}},
        container({"cpu": "50m"}, {"cpu": "200m"}),
        "maximum cpu usage per Container is 100m, but limit is 200m",
    ),
    (
        "request under the minimum",
        {"type": "Container", "min": {"memory": "64Mi"}},
        container({"memory": "32Mi"}),
        "minimum memory usage per Container is 64Mi, but request is 32Mi",
    ),
    (
        "no request of a pod",
        {"type": "Pod", "min": {"memory": "64Mi"}},
        container({"cpu": "1"}),
        "minimum memory usage per Pod is 64Mi.  No request is specified",
    ),
    (
        "no limit of a pod",
        {"type": "Pod", "max": {"memory": "64Mi"}},
        container({"cpu": "1"}),
        "maximum memory usage per Pod is 64Mi.  No limit is specified",
    ),
    (
        "pod over the maximum",
        {"type": "Pod", "max": {"memory": "64Mi"}},
        container(None, {"memory": "1Gi"}),
        "maximum memory usage per Pod is 64Mi, but limit is 1Gi",
    ),
    (
        "ratio",
        {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
        container({"cpu": "100m"}, {"cpu": "300m"}),
        "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
    ),
    (
        "ratio without a limit",
        {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
        container({"cpu": "100m"}),
        (
            "cpu max limit to request ratio per Container is 2, "
            "but no limit is specified or limit is 0"
        ),
    ),
    (
        "two at once",
        {"type": "Pod", "max": {"cpu": "1", "memory": "1Gi"}},
        container(None, {"cpu": "2", "memory": "2Gi"}),
        (
            "[maximum cpu usage per Pod is 1, but limit is 2, "
            "maximum memory usage per Pod is 1Gi, but limit is 2Gi]"
        ),
    ),
]


@pytest.mark.parametrize(("item", "wanted", "why"), [case[1:] for case in CASES])
async def test_a_pod_outside_its_limits_is_refused(
    kit: Any, item: Part, wanted: Part, why: str
) -> None:
    """Users and controllers get the same words."""
    async with kit.admitting() as admitting:
        await limits(admitting, item)
        told = await admitting.user("pods", kit.pod("p", wanted))
        assert told == f'pods "p" is forbidden: {why}'
        assert await admitting.controllers("pods", kit.pod("p", wanted)) == [told]


async def test_containers_get_what_they_leave_open(kit: Any) -> None:
    """Requests come from the limits where nothing else is said, and an annotation tells of it."""
    async with kit.admitting() as admitting:
        await limits(
            admitting,
            {
                "type": "Container",
                "max": {"memory": "1Gi"},
                "default": {"cpu": "200m"},
                "defaultRequest": {"cpu": "100m"},
            },
        )
        asked = kit.pod("p", {}, container({"memory": "1Mi"}, {"memory": "2Mi"}))
        made = await admitting.user("pods", asked)
        first, second = (one["resources"] for one in made["spec"]["containers"])
        assert first == {
            "requests": {"cpu": "100m", "memory": "1Gi"},
            "limits": {"cpu": "200m", "memory": "1Gi"},
        }
        assert second == {
            "requests": {"cpu": "100m", "memory": "1Mi"},
            "limits": {"cpu": "200m", "memory": "2Mi"},
        }
        assert made["status"]["qosClass"] == "Burstable"
        assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
            "LimitRanger plugin set: cpu, memory request for container c1; "
            "cpu, memory limit for container c1; cpu request for container c2; "
            "cpu limit for container c2"
        )


async def test_pods_of_one_template_keep_their_own_annotations(kit: Any) -> None:
    """What is remembered of a template does not spread one pod's annotations to others."""
    async with kit.admitting() as admitting:
        await limits(admitting, {"type": "Container", "default": {"cpu": "1"}})
        first, second, third = kit.pod("a"), kit.pod("b"), kit.pod("c")
        second["spec"] = third["spec"] = first["spec"]
        first["metadata"]["annotations"] = {"of": "a"}
        second["metadata"]["annotations"] = {"of": "b"}
        made = await admitting.controllers("pods", first, second, third)
        notes = [dict(one["metadata"]["annotations"]) for one in made]
        text = {note.pop("kubernetes.io/limit-ranger") for note in notes}
        assert len(text) == 1
        assert notes == [{"of": "a"}, {"of": "b"}, {}]


async def test_new_limits_hold_for_the_next_pod_of_a_template(kit: Any) -> None:
    """What was made of a template before is void."""
    async with kit.admitting() as admitting:
        first, second = kit.pod("a"), kit.pod("b")
        second["spec"] = first["spec"]
        (before,) = await admitting.controllers("pods", first)
        assert (
            "resources" not in before["spec"]["containers"][0]
            or not (before["spec"]["containers"][0]["resources"])
        )
        await limits(admitting, {"type": "Container", "default": {"cpu": "1"}})
        (after,) = await admitting.controllers("pods", second)
        assert after["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "1"}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("1Gi", "minimum storage usage per PersistentVolumeClaim is 2Gi, but request is 1Gi"),
        ("9Gi", "maximum storage usage per PersistentVolumeClaim is 8Gi, but request is 9Gi"),
        ("4Gi", ""),
    ],
)
async def test_a_claim_is_held_to_its_limits(kit: Any, asked: str, why: str) -> None:
    """A claim asks for storage between the bounds."""
    async with kit.admitting() as admitting:
        await limits(
            admitting,
            {
                "type": "PersistentVolumeClaim",
                "min": {"storage": "2Gi"},
                "max": {"storage": "8Gi"},
            },
        )
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "c"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": asked}},
            },
        }
        told = await admitting.user("persistentvolumeclaims", claim)
        if why:
            assert told == f'persistentvolumeclaims "c" is forbidden: {why}'
        else:
            assert told["metadata"]["name"] == "c"


async def test_limits_do_not_concern_pods_that_are_there(kit: Any) -> None:
    """A label may change though the pod would be refused today."""
    async with kit.admitting() as admitting:
        made = await admitting.user("pods", kit.pod("p", container({"cpu": "2"}, {"cpu": "2"})))
        await limits(admitting, {"type": "Container", "max": {"cpu": "1"}})
        labelled = {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}}
        new = await admitting.store.update(labelled, resource="pods", namespace="default", name="p")
        assert new["metadata"]["labels"] == {"a": "b"}
