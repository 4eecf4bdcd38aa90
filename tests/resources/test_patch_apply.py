"""Server-side apply: ownership, conflicts, removal."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from orchestrator.resources.definitions import definitions
from orchestrator.resources.errors import StatusError
from orchestrator.resources.patches import (
    check_typed,
    server_side_apply,
    track_update,
    with_managed_fields,
)

DEPLOYMENT = definitions().definition("io.k8s.api.apps.v1.Deployment")
NOW = 1_700_000_000.0


def config(**spec: Any) -> dict[str, Any]:
    """Return a Deployment configuration."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": spec,
    }


def apply(
    current: dict[str, Any] | None,
    applied: dict[str, Any],
    manager: str = "me",
    *,
    force: bool = False,
    now: float = NOW,
    **more: Any,
) -> dict[str, Any]:
    """Apply and check that the arguments stay as they are."""
    before = copy.deepcopy((current, applied))
    result = server_side_apply(
        current, applied, DEPLOYMENT, manager=manager, force=force, now=now, **more
    )
    assert (current, applied) == before
    return result


def created(obj: dict[str, Any], manager: str = "creator") -> dict[str, Any]:
    """Return an object as an ordinary create leaves it."""
    return with_managed_fields(obj, track_update(None, obj, DEPLOYMENT, manager, NOW))


def owned(obj: dict[str, Any], manager: str) -> Any:
    """Return what a manager owns."""
    for entry in obj["metadata"].get("managedFields", ()):
        if entry["manager"] == manager:
            return entry["fieldsV1"]
    return None


def template(*containers: dict[str, Any]) -> dict[str, Any]:
    """Return a pod template."""
    return {"spec": {"containers": list(containers)}}


def test_the_first_apply_creates_and_owns() -> None:
    """Everything applied is the applier's, name and kind are nobody's."""
    result = apply(None, config(replicas=3, template=template({"name": "a", "image": "1"})))
    assert result["spec"]["replicas"] == 3
    assert result["metadata"]["managedFields"] == [
        {
            "manager": "me",
            "operation": "Apply",
            "apiVersion": "apps/v1",
            "time": "2023-11-14T22:13:20Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:spec": {
                    "f:replicas": {},
                    "f:template": {
                        "f:spec": {
                            "f:containers": {
                                'k:{"name":"a"}': {".": {}, "f:name": {}, "f:image": {}}
                            }
                        }
                    },
                }
            },
        }
    ]


def test_applying_the_same_again_changes_nothing() -> None:
    """The very same object comes back, so that nothing is written."""
    first = apply(None, config(replicas=3))
    assert apply(first, config(replicas=3), now=NOW + 60) is first


def test_a_field_of_another_manager_is_a_conflict() -> None:
    """409 in upstream's words, with one cause for each field."""
    live = created(config(replicas=3, paused=False), "kubectl-client-side-apply")
    with pytest.raises(StatusError) as caught:
        apply(live, config(replicas=5))
    error = caught.value
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == (
        "Apply failed with 1 conflict: conflict with "
        '"kubectl-client-side-apply" using apps/v1: .spec.replicas'
    )
    assert error.details == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl-client-side-apply" using apps/v1',
                "field": ".spec.replicas",
            }
        ]
    }


def test_several_conflicts_are_listed_by_manager() -> None:
    """Every conflicting field is named."""
    live = apply(None, config(replicas=1), "first")
    live = apply(
        live, config(minReadySeconds=1, template=template({"name": "a", "image": "1"})), "z"
    )
    with pytest.raises(StatusError) as caught:
        apply(
            live,
            config(replicas=2, minReadySeconds=2, template=template({"name": "a", "image": "2"})),
        )
    assert caught.value.message == (
        'Apply failed with 3 conflicts: conflicts with "first":\n- .spec.replicas\n'
        'conflicts with "z":\n- .spec.minReadySeconds\n'
        '- .spec.template.spec.containers[name="a"].image'
    )


def test_the_same_value_is_shared() -> None:
    """Two managers that agree both own the field."""
    live = apply(apply(None, config(replicas=1), "a"), config(replicas=1), "b")
    assert owned(live, "a") == owned(live, "b") == {"f:spec": {"f:replicas": {}}}


def test_force_takes_the_field_over() -> None:
    """The other manager keeps the rest."""
    live = apply(None, config(replicas=1, paused=True), "a")
    live = apply(live, config(replicas=2), "b", force=True)
    assert live["spec"] == {"replicas": 2, "paused": True}
    assert owned(live, "a") == {"f:spec": {"f:paused": {}}}
    assert owned(live, "b") == {"f:spec": {"f:replicas": {}}}


def test_what_is_no_longer_applied_is_removed() -> None:
    """Unless somebody else owns it too."""
    live = apply(None, config(replicas=1, paused=True, minReadySeconds=3), "a")
    live = apply(live, config(paused=True), "b")
    live = apply(live, config(minReadySeconds=3), "a")
    assert live["spec"] == {"paused": True, "minReadySeconds": 3}


def test_list_items_come_and_go_by_key() -> None:
    """An item goes with everything in it, defaults included; others' items stay."""
    live = apply(None, config(template=template({"name": "a", "image": "1"})), "a")
    live = apply(live, config(template=template({"name": "b", "image": "1"})), "b")
    containers = live["spec"]["template"]["spec"]["containers"]
    defaulted = [{**item, "imagePullPolicy": "Always"} for item in containers]
    live = {**live, "spec": {"template": {"spec": {"containers": defaulted}}}}
    live = apply(live, config(template=template({"name": "c", "image": "1"})), "a")
    names = [item["name"] for item in live["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["b", "c"]


def test_the_applied_order_of_items_wins() -> None:
    """Items of others stay where they stood."""
    live = apply(None, config(template=template({"name": "a"}, {"name": "x"}, {"name": "b"})), "o")
    live = apply(live, config(template=template({"name": "b"}, {"name": "a"})), "me")
    names = [item["name"] for item in live["spec"]["template"]["spec"]["containers"]]
    assert names == ["b", "a", "x"] or names == ["x", "b", "a"]


def test_an_update_takes_fields_from_an_applier() -> None:
    """A later apply of the old value is then a conflict."""
    live = apply(None, config(replicas=1), "a")
    scaled = {**live, "spec": {**live["spec"], "replicas": 9}}
    scaled = with_managed_fields(
        scaled, track_update(live, scaled, DEPLOYMENT, "kubectl-scale", NOW, "scale")
    )
    assert owned(scaled, "a") is None
    with pytest.raises(StatusError) as caught:
        apply(scaled, config(replicas=1), "a")
    assert caught.value.message.endswith(
        '"kubectl-scale" with subresource "scale" using apps/v1: .spec.replicas'
    )


def test_an_untracked_object_gets_an_owner_before_the_first_apply() -> None:
    """What was there belongs to ``before-first-apply``, so that it is not silently overwritten."""
    live = config(replicas=1, paused=True)
    with pytest.raises(StatusError) as caught:
        apply(live, config(replicas=2))
    assert '"before-first-apply" using apps/v1: .spec.replicas' in caught.value.message
    result = apply(live, config(replicas=2), force=True)
    assert owned(result, "before-first-apply") == {"f:spec": {"f:paused": {}}}


def test_kubectl_takes_over_from_client_side_apply() -> None:
    """Fields that the last-applied annotation vouches for are no conflict, and it is kept."""
    last = config(replicas=3)
    annotation = "kubectl.kubernetes.io/last-applied-configuration"
    live = created(
        {
            **config(replicas=3, paused=True),
            "metadata": {
                "name": "web",
                "namespace": "default",
                "annotations": {annotation: orjson.dumps(last).decode()},
            },
        },
        "kubectl-client-side-apply",
    )
    result = apply(live, config(replicas=5), "kubectl")
    assert result["spec"]["replicas"] == 5
    kept = orjson.loads(result["metadata"]["annotations"][annotation])
    assert kept["spec"] == {"replicas": 5}
    with pytest.raises(StatusError):
        apply(live, config(paused=False), "kubectl")
    with pytest.raises(StatusError):
        apply(live, config(replicas=5), "somebody-else")


def test_status_belongs_to_its_subresource() -> None:
    """Applied through the resource it has no effect, through ``status`` nothing else has."""
    with_status = {**config(replicas=1), "status": {"replicas": 7}}
    live = apply(None, with_status)
    assert "status" not in live
    assert owned(live, "me") == {"f:spec": {"f:replicas": {}}}
    live = apply(live, with_status, "controller", subresource="status")
    assert live["status"] == {"replicas": 7}
    assert owned(live, "controller") == {"f:status": {"f:replicas": {}}}


def test_defaults_are_filled_in_and_owned_by_nobody() -> None:
    """The caller's defaulting runs on the result."""

    def default(obj: dict[str, Any]) -> dict[str, Any]:
        return {**obj, "spec": {"paused": False, **obj["spec"]}}

    live = apply(None, config(replicas=1), default=default)
    assert live["spec"] == {"paused": False, "replicas": 1}
    assert owned(live, "me") == {"f:spec": {"f:replicas": {}}}


def test_a_value_written_in_another_way_is_no_change() -> None:
    """Defaulting brings it to the form that is stored, so that nothing is written."""

    def default(obj: dict[str, Any]) -> dict[str, Any]:
        replicas = obj["spec"]["replicas"]
        return {**obj, "spec": {**obj["spec"], "replicas": int(replicas)}}

    first = apply(None, config(replicas="3"), default=default)
    assert first["spec"]["replicas"] == 3
    assert apply(first, config(replicas="3"), default=default, now=NOW + 60) is first


def test_null_and_timestamps_from_generators_are_harmless() -> None:
    """``kubectl create --dry-run`` writes ``creationTimestamp: null`` and empty structs."""
    applied = config(replicas=1, strategy={}, paused=None)
    applied["metadata"]["creationTimestamp"] = None
    live = apply(None, applied)
    assert "creationTimestamp" not in live["metadata"]
    assert live["spec"] == {"replicas": 1, "strategy": {}}


def test_managed_fields_cannot_be_applied() -> None:
    """Not even an empty list."""
    applied = {**config(), "metadata": {"name": "web", "managedFields": []}}
    with pytest.raises(StatusError, match=r"metadata\.managedFields must be nil"):
        apply(None, applied)


CONTAINERS = ".spec.template.spec.containers"


@pytest.mark.parametrize(
    ("applied", "problem"),
    [
        (
            config(template=template({"image": "1"})),
            (
                f"{CONTAINERS}: element 0: associative list with keys has an element that omits "
                'all key fields ["name"] (and doesn\'t have default values for any key fields)'
            ),
        ),
        (
            config(template=template({"name": "a"}, {"name": "a"})),
            f'{CONTAINERS}: duplicate entries for key [name="a"]',
        ),
        (
            config(template=template({"name": "a", "ports": [{"containerPort": 1}] * 2})),
            (
                f'{CONTAINERS}[name="a"].ports: duplicate entries for key '
                '[containerPort=1,protocol="TCP"]'
            ),
        ),
        (config(replicass=1), ".spec.replicass: field not declared in schema"),
        (
            config(template=template({"name": "a", "imag": "x"})),
            f'{CONTAINERS}[name="a"].imag: field not declared in schema',
        ),
        (config(replicas="1"), ".spec.replicas: expected numeric (int or float), got string"),
        (
            config(template={"metadata": {"labels": {"a": 5}}}),
            (
                ".spec.template.metadata.labels.a: expected string, got "
                "&value.valueUnstructured{Value:5}"
            ),
        ),
        (config(template=[1]), ".spec.template: expected map, got &{[1]}"),
        (
            config(template=template({"name": "a", "ports": {"x": 1}})),
            f'{CONTAINERS}[name="a"].ports: expected list, got &{{map[x:1]}}',
        ),
        (
            config(paused="no", replicas=True),
            (
                "errors:\n"
                '  .spec.paused: expected boolean, got &value.valueUnstructured{Value:"no"}\n'
                "  .spec.replicas: expected numeric (int or float), got bool"
            ),
        ),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(applied: dict[str, Any], problem: str) -> None:
    """With upstream's place and words, whatever field validation was asked for."""
    with pytest.raises(StatusError) as caught:
        check_typed(applied, DEPLOYMENT)
    assert caught.value.code == 400
    assert caught.value.message == (
        "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): " + problem
    )


def test_what_fits_passes() -> None:
    """Quantities and ports by number or name, nulls, and finalizers as a set."""
    applied = config(
        replicas=None,
        template=template(
            {
                "name": "a",
                "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
                "livenessProbe": {"httpGet": {"port": "http"}},
                "ports": [{"containerPort": 1}, {"containerPort": 1, "protocol": "UDP"}],
            }
        ),
    )
    applied["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
    check_typed(applied, DEPLOYMENT)
    check_typed({"anything": [{}, 1]}, None)
    applied["metadata"]["finalizers"] = ["a/a", "a/a"]
    with pytest.raises(StatusError, match=r'finalizers: duplicate entries for key \[="a/a"\]'):
        check_typed(applied, DEPLOYMENT)


def test_a_claim_that_changes_nothing_has_no_time() -> None:
    """As upstream: the time is that of the manager's last change to the object."""
    live = apply(None, config(replicas=1), now=NOW)
    shared = apply(live, config(replicas=1), "other", now=NOW + 60)
    times = {entry["manager"]: entry.get("time") for entry in shared["metadata"]["managedFields"]}
    assert times == {"me": "2023-11-14T22:13:20Z", "other": None}
    changed = apply(shared, config(replicas=1, paused=True), "other", now=NOW + 60)
    times = {entry["manager"]: entry.get("time") for entry in changed["metadata"]["managedFields"]}
    assert times["other"] == "2023-11-14T22:14:20Z"


def test_custom_resources_are_owned_by_entry() -> None:
    """Without a schema maps merge and lists are one value."""
    applied = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "t"},
        "spec": {"a": {"b": 1}, "l": [1, {"x": 2}]},
    }
    live = server_side_apply(None, applied, None, manager="me", force=False, now=NOW)
    assert owned(live, "me") == {"f:spec": {"f:a": {".": {}, "f:b": {}}, "f:l": {}, ".": {}}}
    again = server_side_apply(live, applied, None, manager="me", force=False, now=NOW + 9)
    assert again is live
