"""Strategic merge patch: lists by key and every directive."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from orchestrator.resources.definitions import definitions
from orchestrator.resources.errors import StatusError
from orchestrator.resources.patches import PatchRejectedError, apply_strategic_merge_patch

DEPLOYMENT = definitions().definition("io.k8s.api.apps.v1.Deployment")
SERVICE = definitions().definition("io.k8s.api.core.v1.Service")
POD = definitions().definition("io.k8s.api.core.v1.Pod")
NODE = definitions().definition("io.k8s.api.core.v1.Node")


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return a pod with the given containers."""
    return {"metadata": {"name": "web"}, "spec": {"containers": list(containers), **spec}}


def container(name: str, **fields: Any) -> dict[str, Any]:
    """Return a container."""
    return {"name": name, **fields}


def patched(obj: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """Patch a pod's spec and return what became of it; the pod must not change."""
    before = copy.deepcopy(obj)
    result: dict[str, Any] = apply_strategic_merge_patch(obj, {"spec": spec}, POD)["spec"]
    assert obj == before
    return result


def test_containers_merge_by_name() -> None:
    """A container is changed in place, its other fields stay."""
    old = pod(container("a", image="1", env=[{"name": "X", "value": "1"}]), container("b"))
    result = patched(old, {"containers": [container("a", image="2")]})
    assert result["containers"] == [
        container("a", image="2", env=[{"name": "X", "value": "1"}]),
        container("b"),
    ]


def test_a_new_item_comes_before_those_only_the_server_knows() -> None:
    """Upstream's order where the patch does not say one."""
    result = patched(pod(container("a")), {"containers": [container("new")]})
    assert [item["name"] for item in result["containers"]] == ["new", "a"]


def test_set_element_order_orders_all() -> None:
    """Named items stand as the patch has them, the server's own stay near their neighbours."""
    old = pod(container("a"), container("mesh"), container("b"))
    result = patched(
        old,
        {
            "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}, {"name": "c"}],
            "containers": [container("c", image="new")],
        },
    )
    assert [item["name"] for item in result["containers"]] == ["mesh", "b", "a", "c"]


def test_set_element_order_alone_reorders() -> None:
    """No list in the patch: only the order changes."""
    result = patched(
        pod(container("a"), container("b")),
        {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]},
    )
    assert [item["name"] for item in result["containers"]] == ["b", "a"]


def test_an_item_outside_the_element_order_is_refused() -> None:
    """The list and its order have to agree."""
    with pytest.raises(StatusError) as caught:
        patched(
            pod(container("a")),
            {"$setElementOrder/containers": [{"name": "a"}], "containers": [container("b")]},
        )
    assert caught.value.code == 400
    assert "doesn't match" in caught.value.message


def test_patch_delete_removes_an_item() -> None:
    """With ``$patch: delete`` the key alone names the item."""
    result = patched(
        pod(container("a"), container("b")), {"containers": [{"name": "a", "$patch": "delete"}]}
    )
    assert result["containers"] == [container("b")]


def test_patch_replace_in_a_list_replaces_it() -> None:
    """The directive's own item is not part of the result."""
    result = patched(
        pod(container("a"), container("b")),
        {"containers": [container("c"), {"$patch": "replace"}]},
    )
    assert result["containers"] == [container("c")]


def test_patch_directives_in_a_map() -> None:
    """``replace`` keeps only the patch, ``delete`` nothing, ``merge`` is the default."""
    old = pod(securityContext={"runAsUser": 1, "fsGroup": 2})
    for directive, expected in {
        "replace": {"fsGroup": 3},
        "delete": {},
        "merge": {"runAsUser": 1, "fsGroup": 3},
    }.items():
        result = patched(old, {"securityContext": {"$patch": directive, "fsGroup": 3}})
        assert result["securityContext"] == expected


def test_retain_keys_clears_the_rest() -> None:
    """A change of a Deployment's strategy drops the parameters of the other one."""
    old = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    result = apply_strategic_merge_patch(old, patch, DEPLOYMENT)
    assert result == {"spec": {"strategy": {"type": "Recreate"}}}


def test_retain_keys_must_name_what_the_patch_sets() -> None:
    """A field that is set and not retained is a contradiction."""
    with pytest.raises(PatchRejectedError) as caught:
        patched(pod(securityContext={}), {"securityContext": {"$retainKeys": ["a"], "fsGroup": 1}})
    assert caught.value.code == 422
    assert caught.value.why == "patch content doesn't match retainKeys list"


def test_scalars_of_a_merged_list_are_united() -> None:
    """Finalizers are a set; ``$deleteFromPrimitiveList`` takes one out."""
    old = {"metadata": {"finalizers": ["a", "b"]}}
    added = apply_strategic_merge_patch(old, {"metadata": {"finalizers": ["c", "a"]}}, POD)
    assert sorted(added["metadata"]["finalizers"]) == ["a", "b", "c"]
    removed = apply_strategic_merge_patch(
        old, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}, POD
    )
    assert removed["metadata"]["finalizers"] == ["b"]


def test_lists_without_a_strategy_are_replaced() -> None:
    """A container's args are one value."""
    old = pod(container("a", args=["1", "2"]))
    result = patched(old, {"containers": [container("a", args=["3"])]})
    assert result["containers"][0]["args"] == ["3"]


def test_service_ports_merge_by_port() -> None:
    """The merge key of Service ports is the number, unlike the keys of apply."""
    old = {"spec": {"ports": [{"port": 80, "name": "http"}, {"port": 443, "name": "https"}]}}
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
    result = apply_strategic_merge_patch(old, patch, SERVICE)["spec"]["ports"]
    assert {"port": 80, "name": "http", "targetPort": 8080} in result
    assert {"port": 443, "name": "https"} in result


def test_volumes_retain_keys_so_that_a_source_can_change() -> None:
    """The patch kubectl sends when a volume moves from one source to another."""
    old = pod(volumes=[{"name": "v", "emptyDir": {}}])
    change = {"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}
    result = patched(old, {"volumes": [change]})
    assert result["volumes"] == [{"name": "v", "configMap": {"name": "c"}}]


def test_null_removes_and_labels_merge() -> None:
    """Maps merge entry by entry."""
    old = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    result = apply_strategic_merge_patch(old, {"metadata": {"labels": {"a": None, "c": "3"}}}, POD)
    assert result["metadata"]["labels"] == {"b": "2", "c": "3"}


def test_directives_and_nulls_never_stay_in_a_new_value() -> None:
    """Where nothing was, the patch is stored without what was meant for the merge."""
    result = patched(
        {"metadata": {}},
        {
            "containers": [
                {"name": "a", "$retainKeys": ["name"], "image": None},
                {"name": "b", "$patch": "delete"},
            ],
            "$setElementOrder/containers": [{"name": "a"}],
        },
    )
    assert result == {"containers": [{"name": "a"}]}


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"containers": [{"image": "1"}]}, 400),
        ({"containers": [["nested"]]}, 422),
        ({"containers": ["text"]}, 400),
        ({"containers": [{"name": "a", "$patch": "explode"}]}, 400),
        ({"containers": [{"$patch": "delete"}]}, 400),
        ({"$patch": "explode"}, 400),
        ({"$retainKeys": "name"}, 400),
        ({"$setElementOrder/containers": {}}, 400),
        ({"$deleteFromPrimitiveList/containers": [{}]}, 400),
    ],
)
def test_malformed_directives_are_refused(spec: dict[str, Any], code: int) -> None:
    """Each with a client's error, never a half-merged object."""
    with pytest.raises(StatusError) as caught:
        patched(pod(container("a")), spec)
    assert caught.value.code == code
    assert isinstance(caught.value, PatchRejectedError) is (code == 422)


def test_taints_are_replaced_as_upstream_has_it() -> None:
    """Node taints are a merge list keyed by key."""
    old = {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}
    result = apply_strategic_merge_patch(old, {"spec": {"taints": None}}, NODE)
    assert result == {"spec": {}}


def test_a_directive_that_is_no_text_is_dropped_where_nothing_was() -> None:
    """A new list has nothing to delete or replace, whatever stands there."""
    result = patched(pod(), {"volumes": [{"name": "new", "$patch": {"a": 1}}]})
    assert result["volumes"] == [{"name": "new"}]
