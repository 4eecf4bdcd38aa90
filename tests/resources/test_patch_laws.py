"""Laws of patches and field sets, on generated values."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.resources.definitions import definitions
from orchestrator.resources.errors import StatusError
from orchestrator.resources.patches import (
    apply_json_patch,
    apply_merge_patch,
    apply_strategic_merge_patch,
    server_side_apply,
    track_update,
    with_managed_fields,
)
from orchestrator.resources.patches import field_sets as fs

POD = definitions().definition("io.k8s.api.core.v1.Pod")
NOW = 1_700_000_000.0
QUICK = settings(max_examples=80, deadline=None)


def outcome(attempt: Callable[[], Any]) -> Any:
    """Return what came out, the error included."""
    try:
        return attempt()
    except StatusError as error:
        return error


names = st.sampled_from(["a", "b", "c", "d"])
scalars = st.none() | st.booleans() | st.integers(0, 3) | names
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)
documents = st.dictionaries(names, values, max_size=4)


def without_nulls(value: Any) -> Any:
    """Drop null members: a merge patch cannot write them."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


env = st.lists(
    st.fixed_dictionaries({"name": names, "value": names}),
    max_size=3,
    unique_by=lambda item: str(item["name"]),
)
containers = st.lists(
    st.fixed_dictionaries(
        {"name": names},
        optional={
            "image": names,
            "args": st.lists(names, max_size=2),
            "env": env,
            "securityContext": st.dictionaries(
                st.sampled_from(["runAsUser", "runAsGroup"]), st.integers(0, 2)
            ),
        },
    ),
    max_size=3,
    unique_by=lambda item: str(item["name"]),
)
labels = st.dictionaries(names, names, max_size=3)


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a pod with lists by key, atomic lists, sets and maps."""
    metadata: dict[str, Any] = {"name": "p", "namespace": "n"}
    if found := draw(labels):
        metadata["labels"] = found
    if finalizers := draw(st.lists(names, max_size=2, unique=True)):
        metadata["finalizers"] = finalizers
    spec = {"containers": draw(containers), "nodeName": draw(names)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def diff(old: Any, new: Any) -> Any:
    """Return a merge patch from one document to another."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    patch = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif old[key] != value or type(old[key]) is not type(value):
            patch[key] = diff(old[key], value)
    return patch


def strategic_diff(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return a strategic merge patch between two pods, with every list directive."""
    patch: dict[str, Any] = diff({**old, "spec": {}}, {**new, "spec": {}})
    metadata = patch.setdefault("metadata", {})
    gone = [
        f
        for f in old["metadata"].get("finalizers", [])
        if f not in new["metadata"].get("finalizers", [])
    ]
    if new["metadata"].get("finalizers"):
        metadata["finalizers"] = new["metadata"]["finalizers"]
        metadata["$deleteFromPrimitiveList/finalizers"] = gone
        metadata["$setElementOrder/finalizers"] = new["metadata"]["finalizers"]
    kept = {container["name"] for container in new["spec"]["containers"]}
    patch["spec"] = {
        "nodeName": new["spec"]["nodeName"],
        "containers": [
            *(
                {"name": container["name"], "$patch": "delete"}
                for container in old["spec"]["containers"]
                if container["name"] not in kept
            ),
            *(container_diff(old, container) for container in new["spec"]["containers"]),
        ],
        "$setElementOrder/containers": [{"name": c["name"]} for c in new["spec"]["containers"]],
    }
    return patch


def container_diff(old: dict[str, Any], container: dict[str, Any]) -> dict[str, Any]:
    """Return a container's patch: env by its directives, the rest retained or dropped."""
    patch = {**container, "$retainKeys": list(container)}
    before: dict[str, Any] = next(
        (c for c in old["spec"]["containers"] if c["name"] == container["name"]), {}
    )
    if "env" in container:
        kept = {item["name"] for item in container["env"]}
        removed = [item for item in before.get("env", []) if item["name"] not in kept]
        patch["env"] = [
            *container["env"],
            *({"name": i["name"], "$patch": "delete"} for i in removed),
        ]
        patch["$setElementOrder/env"] = [{"name": item["name"]} for item in container["env"]]
    if "securityContext" in container:
        patch["securityContext"] = {**container["securityContext"], "$patch": "replace"}
    return patch


@QUICK
@given(documents, documents)
def test_a_merge_patch_reaches_its_target(old: dict[str, Any], new: dict[str, Any]) -> None:
    """A patch computed between two documents leads from one to the other, and again to itself."""
    old, new = without_nulls(old), without_nulls(new)
    before = copy.deepcopy(old)
    patch = diff(old, new)
    reached = apply_merge_patch(old, patch)
    assert reached == new
    assert apply_merge_patch(reached, patch) == new
    assert old == before


@QUICK
@given(pods(), pods())
def test_a_strategic_patch_reaches_its_target(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Directives as a client computes them lead from one pod to the other."""
    before = copy.deepcopy((old, new))
    reached = apply_strategic_merge_patch(old, strategic_diff(old, new), POD)
    assert reached == new
    assert (old, new) == before


@QUICK
@given(pods(), documents)
def test_fuzzed_patches_never_change_their_input(pod: dict[str, Any], patch: Any) -> None:
    """Whatever comes, it is applied or refused with a client's error."""
    before = copy.deepcopy((pod, patch))
    for attempt in (
        lambda: apply_merge_patch(pod, {"spec": patch, "metadata": patch}),
        lambda: apply_strategic_merge_patch(pod, {"spec": {"containers": patch, **patch}}, POD),
        lambda: apply_strategic_merge_patch(
            pod, {"spec": {"containers": list(patch.values())}, "metadata": patch}, POD
        ),
    ):
        result = outcome(attempt)
        assert isinstance(result, dict) or 400 <= result.code < 500
        assert (pod, patch) == before


pointers = st.lists(
    st.sampled_from(["a", "b", "0", "1", "-", "spec", "containers"]), max_size=4
).map(lambda parts: "".join(f"/{part}" for part in parts))
operations = st.lists(
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
            "path": pointers,
            "from": pointers,
            "value": values,
        }
    ),
    max_size=6,
)


@QUICK
@given(documents, operations)
def test_fuzzed_json_patches_never_change_their_input(
    document: dict[str, Any], patch: list[dict[str, Any]]
) -> None:
    """Copied and moved parts are never written through."""
    before = copy.deepcopy((document, patch))
    whole = outcome(lambda: apply_json_patch(document, patch))
    stepwise: Any = document
    for operation in patch:
        stepwise = outcome(partial(apply_json_patch, stepwise, [copy.deepcopy(operation)]))
        if isinstance(stepwise, StatusError):
            break  # refused, or a list or scalar as an intermediate document
    if isinstance(whole, StatusError):
        assert whole.code in {400, 413, 422}
    elif not isinstance(stepwise, StatusError):
        assert whole == stepwise
    assert (document, patch) == before


@QUICK
@given(pods(), pods())
def test_apply_is_idempotent(live: dict[str, Any], applied: dict[str, Any]) -> None:
    """The second time nothing changes, whoever was there before."""
    live = with_managed_fields(live, track_update(None, live, POD, "other", NOW))
    before = copy.deepcopy((live, applied))
    first = server_side_apply(live, applied, POD, manager="me", force=True, now=NOW)
    again = server_side_apply(first, applied, POD, manager="me", force=False, now=NOW + 60)
    assert again is first
    assert (live, applied) == before


@QUICK
@given(pods(), pods())
def test_applying_something_else_removes_what_was_applied(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    """With one manager the object is what was applied last."""
    live = server_side_apply(None, first, POD, manager="me", force=False, now=NOW)
    live = server_side_apply(live, second, POD, manager="me", force=False, now=NOW)
    fresh = server_side_apply(None, second, POD, manager="me", force=False, now=NOW)

    def bare(obj: dict[str, Any]) -> dict[str, Any]:
        metadata = {key: v for key, v in obj["metadata"].items() if key != "managedFields"}
        return {**obj, "metadata": {k: v for k, v in metadata.items() if v not in ([], {})}}

    result, expected = bare(live), bare(fresh)
    for obj in (result, expected):
        obj["spec"] = {"containers": [], **obj["spec"]}
    for container in (*result["spec"]["containers"], *expected["spec"]["containers"]):
        for field in [field for field, value in container.items() if value in ([], {})]:
            del container[field]
    assert result == expected


@QUICK
@given(pods(), pods())
def test_order_of_agreeing_managers_does_not_matter(
    one: dict[str, Any], two: dict[str, Any]
) -> None:
    """Two managers of different fields end in the same object and the same ownership."""
    one = {**one, "spec": {"nodeName": "a"}}
    two = {**two, "metadata": {"name": "p", "namespace": "n"}}
    two["spec"] = {"containers": two["spec"]["containers"]}

    def both(*order: tuple[str, dict[str, Any]]) -> tuple[Any, Any]:
        live = None
        for manager, config in order:
            live = server_side_apply(live, config, POD, manager=manager, force=False, now=NOW)
        assert live is not None
        entries = live["metadata"].pop("managedFields")
        return live, {entry["manager"]: entry["fieldsV1"] for entry in entries}

    assert both(("x", one), ("y", two)) == both(("y", two), ("x", one))


elements = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'])
field_sets = st.lists(st.lists(elements, min_size=1, max_size=3).map(tuple), max_size=6)


@QUICK
@given(field_sets, field_sets)
def test_field_sets_are_sets(left: list[tuple[str, ...]], right: list[tuple[str, ...]]) -> None:
    """Union, intersection and difference agree with Python's own sets of paths."""
    one, two = fs.from_paths(left), fs.from_paths(right)
    before = copy.deepcopy((one, two))
    assert set(fs.paths(one)) == set(left)
    assert set(fs.paths(fs.union(one, two))) == set(left) | set(right)
    assert set(fs.paths(fs.intersection(one, two))) == set(left) & set(right)
    assert set(fs.paths(fs.difference(one, two))) == set(left) - set(right)
    assert fs.decode(copy.deepcopy(one)) == one
    assert fs.size(one) == len(set(left))
    assert (one, two) == before


@QUICK
@given(pods(), pods())
def test_tracking_accounts_for_every_change(old: dict[str, Any], new: dict[str, Any]) -> None:
    """What an update changed is exactly what left the first manager or came to the second."""
    live = with_managed_fields(old, track_update(None, old, POD, "a", NOW))
    entries = {
        entry["manager"]: entry["fieldsV1"] for entry in track_update(live, new, POD, "b", NOW)
    }
    kept, took = entries.get("a", {}), entries.get("b", {})
    assert fs.intersection(kept, took) == {}
    whole = track_update(None, new, POD, "c", NOW)[0]["fieldsV1"]
    assert fs.difference(whole, fs.union(kept, took)) == {}
