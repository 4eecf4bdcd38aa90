"""Rules of dynamic resource allocation: claims, templates, classes and slices of devices."""

from __future__ import annotations

from typing import Any

import pytest

from tests.resources.judging import Object, creation, defaulted, told, update

EXACTLY = {"deviceClassName": "gpu"}
C_IDENTIFIER = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of "
    "alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for "
    "validation is '[A-Za-z_][A-Za-z0-9_]*')"
)


def dynamic(kind: str, spec: Object, *, namespaced: bool = False) -> Object:
    """Return an object of the group."""
    metadata = {"name": "web", **({"namespace": "default"} if namespaced else {})}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


def claim(*requests: Object, **devices: Any) -> Object:
    """Return a ResourceClaim."""
    spec = {"devices": {"requests": list(requests), **devices}}
    return dynamic("ResourceClaim", spec, namespaced=True)


def template(metadata: Object, **devices: Any) -> Object:
    """Return a ResourceClaimTemplate."""
    spec = {"metadata": metadata, "spec": {"devices": devices}}
    return dynamic("ResourceClaimTemplate", spec, namespaced=True)


def piece(*devices: Object, **spec: Any) -> Object:
    """Return a ResourceSlice of a node."""
    pool = {"name": "n", "resourceSliceCount": 1, "generation": 0}
    whole = {"driver": "a.b", "pool": pool, "nodeName": "n", "devices": list(devices), **spec}
    return dynamic("ResourceSlice", {key: one for key, one in whole.items() if one is not None})


ONE = {"name": "r", "exactly": EXACTLY}
OPAQUE = {"opaque": {"driver": "a.b", "parameters": {"a": 1}}}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (claim(ONE, config=[{**OPAQUE, "requests": ["r"]}]), ""),
        (claim({"name": "r", "firstAvailable": [{"name": "a", **EXACTLY}]}), ""),
        (template({"labels": {"a": "b"}}, requests=[ONE]), ""),
        (dynamic("DeviceClass", {"extendedResourceName": "a.b/gpu"}), ""),
        (piece({"name": "d", "attributes": {"a": {"int": 0}, "x.y/b": {"bool": False}}}), ""),
        (
            claim(
                ONE,
                ONE,
                {"name": "A"},
                {"name": "b", "exactly": EXACTLY, "firstAvailable": [{"name": "x", **EXACTLY}]},
                {
                    "name": "c",
                    "exactly": {
                        "allocationMode": "All",
                        "count": 1,
                        "selectors": [{}, {"cel": {"expression": "x" * 10241}}],
                        "tolerations": [
                            {"operator": "Exists", "value": "v"},
                            {"operator": "Odd", "effect": "Never"},
                        ],
                    },
                },
                {"name": "d", "exactly": {**EXACTLY, "count": -1}},
                {"name": "e", "exactly": {**EXACTLY, "allocationMode": "Some"}},
            ),
            """
            - spec.devices.requests[2].name: Invalid value: "A": <label>
            - spec.devices.requests[2]: Required value: exactly one of `exactly` or
              `firstAvailable` is required
            - spec.devices.requests[3]: Invalid value: null: exactly one of `exactly` or
              `firstAvailable` is required, but multiple fields are set
            - spec.devices.requests[4].exactly.deviceClassName: Required value
            - spec.devices.requests[4].exactly.selectors[0].cel: Required value
            - spec.devices.requests[4].exactly.selectors[1].cel.expression: Too long: may not be
              more than 10240 bytes
            - spec.devices.requests[4].exactly.count: Invalid value: 1: must not be specified when
              allocationMode is 'All'
            - spec.devices.requests[4].exactly.tolerations[0].value: Invalid value: "v": must be
              empty for operator `Exists`
            - spec.devices.requests[4].exactly.tolerations[1].operator: Unsupported value: "Odd":
              supported values: "Equal", "Exists"
            - spec.devices.requests[4].exactly.tolerations[1].effect: Unsupported value: "Never":
              supported values: "NoExecute", "NoSchedule", "None"
            - spec.devices.requests[5].exactly.count: Invalid value: -1: must be greater than zero
            - spec.devices.requests[6].exactly.allocationMode: Unsupported value: "Some": supported
              values: "All", "ExactCount"
            - spec.devices.requests[1]: Duplicate value: "r"
            """,
        ),
        (
            claim(
                ONE,
                constraints=[
                    {"requests": ["r", "r", "s", "a/b/c"]},
                    {"matchAttribute": "model"},
                    {"matchAttribute": "/1"},
                    {"matchAttribute": "a/b/c"},
                ],
                config=[
                    {},
                    {"opaque": {"driver": "A_"}},
                    {"opaque": {"driver": "a.b", "parameters": 1}},
                ],
            ),
            f"""
            - spec.devices.constraints[0].requests[2]: Invalid value: "s": must be the name of a
              request in the claim or the name of a request and a subrequest separated by '/'
            - spec.devices.constraints[0].requests[3]: Invalid value: "a/b/c": must be the name of
              a request in the claim or the name of a request and a subrequest separated by '/'
            - spec.devices.constraints[0].requests[1]: Duplicate value: "r"
            - spec.devices.constraints[0].matchAttribute: Required value
            - spec.devices.constraints[1].matchAttribute: Invalid value: "model": a fully qualified
              name must be a domain and a name separated by a slash
            - spec.devices.constraints[2].matchAttribute: Invalid value: "": the domain must not be
              empty
            - spec.devices.constraints[2].matchAttribute: Invalid value: "1": {C_IDENTIFIER}
            - spec.devices.constraints[3].matchAttribute: Invalid value: "a/b/c": must not contain
              more than one slash
            - spec.devices.config[0].opaque: Required value
            - spec.devices.config[1].opaque.driver: Invalid value: "A_": <subdomain>
            - spec.devices.config[1].opaque.parameters: Required value
            - spec.devices.config[2].opaque.parameters: Invalid value: "<value omitted>": must be a
              valid JSON object
            """,
        ),
        (
            claim(*({"name": f"r{n}", "exactly": EXACTLY} for n in range(33))),
            "- spec.devices.requests: Too many: 33: must have at most 32 items",
        ),
        (
            template({"name": "x", "labels": {"_": ""}}, requests=[{"name": "r"}]),
            """
            - spec.metadata.labels: Invalid value: "_": name part <qualified>
            - spec.metadata.name: Forbidden: cannot be set
            - spec.spec.devices.requests[0]: Required value: exactly one of `exactly` or
              `firstAvailable` is required
            """,
        ),
        (
            dynamic(
                "DeviceClass", {"selectors": [{}], "config": [{}], "extendedResourceName": "cpu"}
            ),
            """
            - spec.selectors[0].cel: Required value
            - spec.config[0].opaque: Required value
            - spec.extendedResourceName: Invalid value: "cpu": must be a valid extended resource
              name
            """,
        ),
        (
            piece(
                driver="",
                pool={"name": "A//b", "resourceSliceCount": 0, "generation": -1},
                nodeName="",
                allNodes=False,
                sharedCounters=[{"name": "", "counters": {"A": {"value": "1"}}}, {"name": "c"}],
            ),
            """
            - spec.driver: Required value
            - spec.driver: Invalid value: "": <subdomain>
            - spec.pool.name: Invalid value: "A": <subdomain>
            - spec.pool.name: Invalid value: "": <subdomain>
            - spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero
            - spec.pool.generation: Invalid value: -1: must be greater than or equal to zero
            - spec.nodeName: Invalid value: "": must be either unset or set to a non-empty string
            - spec.allNodes: Invalid value: false: must be either unset or set to true
            - spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`,
              `perDeviceNodeSelection` is required
            - spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed
            - spec.sharedCounters[0].name: Required value
            - spec.sharedCounters[0].counters: Invalid value: "A": <label>
            - spec.sharedCounters[1].counters: Required value
            """,
        ),
        (
            piece(
                {"name": "d"},
                {
                    "name": "d",
                    "attributes": {
                        "1": {},
                        "v": {"version": "1.0"},
                        "w": {"string": "x" * 65, "int": 1},
                    },
                    "capacity": {"a/b": {"value": "1", "requestPolicy": {}}},
                    "taints": [{"key": "", "effect": "Odd"}, {"key": "k"}],
                    "consumesCounters": [{}],
                    "nodeName": "n",
                },
                allNodes=True,
            ),
            f"""
            - spec: Invalid value: "{{`nodeName`, `allNodes`}}": exactly one of `nodeName`,
              `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields
              are set
            - spec.devices[1].attributes: Invalid value: "1": {C_IDENTIFIER}
            - spec.devices[1].attributes[1]: Invalid value: "": exactly one value must be specified
            - spec.devices[1].attributes[v].version: Invalid value: "1.0": must be a string
              compatible with semver.org spec 2.0.0
            - spec.devices[1].attributes[w].string: Too long: may not be more than 64 bytes
            - spec.devices[1].attributes[w]: Invalid value: {{"string":"{"x" * 65}","int":1}}:
              exactly one value must be specified
            - spec.devices[1].capacity[a/b].requestPolicy: Forbidden: allowMultipleAllocations must
              be true
            - spec.devices[1].taints[0].key: Invalid value: "": name part must be non-empty
            - spec.devices[1].taints[0].key: Invalid value: "": name part <qualified>
            - spec.devices[1].taints[0].effect: Unsupported value: "Odd": supported values:
              "NoExecute", "NoSchedule", "None"
            - spec.devices[1].taints[1].effect: Required value
            - spec.devices[1].consumesCounters[0].counterSet: Required value
            - spec.devices[1].consumesCounters[0].counters: Required value
            - spec.devices[1]: Invalid value: null: `nodeName`, `nodeSelector` and `allNodes` can
              only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec
            - spec.devices[1]: Duplicate value: "d"
            """,
        ),
        (
            piece(
                {"name": "a"},
                {"name": "b", "nodeName": "", "allNodes": True},
                {"name": "c", "nodeName": "n", "allNodes": True},
                nodeName=None,
                perDeviceNodeSelection=True,
            ),
            """
            - spec.devices[0]: Required value: exactly one of `nodeName`, `nodeSelector`, or
              `allNodes` is required when `perDeviceNodeSelection` is set to true in the
              ResourceSlice spec
            - spec.devices[1].nodeName: Invalid value: "": must not be empty
            - spec.devices[2]: Invalid value: "{`nodeName`, `allNodes`}": exactly one of
              `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection`
              is set to true in the ResourceSlice spec
            """,
        ),
    ],
)
def test_every_complaint_about_a_new_object(obj: Object, expected: str) -> None:
    """All at once, in upstream's order."""
    assert creation(obj) == told(expected)


@pytest.mark.parametrize(
    ("new", "old", "fields"),
    [
        (claim(), claim(ONE), ["spec"]),
        (template({}, requests=[]), template({}, requests=[ONE]), ["spec"]),
        (
            piece(driver="c.d", nodeName="m", pool={"name": "o", "resourceSliceCount": 2}),
            piece(),
            ["spec.pool.name", "spec.driver", "spec.nodeName"],
        ),
        (piece({"name": "d"}), piece(), []),
        (dynamic("DeviceClass", {"selectors": []}), dynamic("DeviceClass", {}), []),
    ],
)
def test_what_may_not_change(new: Object, old: Object, fields: list[str]) -> None:
    """Each field with the same words."""
    found = update(new, old)
    assert [problem.partition(":")[0] for problem in found] == fields
    assert all(problem.endswith(": field is immutable") for problem in found)


GIVEN = {"request": "r", "driver": "a.b", "pool": "n", "device": "d"}
ALLOCATED = {"devices": {"results": [GIVEN]}}
POD = {"resource": "pods", "name": "p", "uid": "1"}


@pytest.mark.parametrize(
    ("status", "before", "expected"),
    [
        ({"allocation": ALLOCATED, "reservedFor": [POD]}, {}, ""),
        (
            {"reservedFor": [POD, POD, {}]},
            {},
            """
            - status.reservedFor[2].resource: Required value
            - status.reservedFor[2].name: Required value
            - status.reservedFor[2].uid: Required value
            - status.reservedFor[1]: Duplicate value: "1"
            - status.reservedFor: Forbidden: may not be specified when `allocated` is not set
            """,
        ),
        (
            {"allocation": {"devices": {}}},
            {"allocation": {}},
            '- status.allocation: Invalid value: {"devices":{}}: field is immutable',
        ),
        (
            {
                "allocation": {
                    "devices": {
                        "results": [{"request": "s", "driver": "a.b", "pool": "", "device": "D"}],
                        "config": [{"source": "Air", **OPAQUE}],
                    }
                }
            },
            {},
            """
            - status.allocation.devices.results[0].request: Invalid value: "s": must be the name of
              a request in the claim or the name of a request and a subrequest separated by '/'
            - status.allocation.devices.results[0].pool: Required value
            - status.allocation.devices.results[0].device: Invalid value: "D": <label>
            - status.allocation.devices.config[0].source: Unsupported value: "Air": supported
              values: "FromClaim", "FromClass"
            """,
        ),
        (
            {"allocation": ALLOCATED, "devices": [{**GIVEN, "device": "e", "data": []}]},
            {},
            """
            - status.devices[0]: Invalid value: "a.b/n/e": must be an allocated device in the claim
            - status.devices[0].data: Invalid value: "<value omitted>": must be a valid JSON object
            """,
        ),
    ],
)
def test_every_complaint_about_what_a_claim_is_given(
    status: Object, before: Object, expected: str
) -> None:
    """Given once, and reserved only while it is given."""
    new, old = ({**claim(ONE), "status": one} for one in (status, before))
    assert update(new, old, "status") == told(expected)


def test_nothing_is_reserved_for_others_while_a_claim_goes() -> None:
    """What holds it may let go."""
    gone = {"name": "web", "namespace": "default", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    old = {**claim(ONE), "metadata": gone, "status": {"allocation": ALLOCATED}}
    new = {**old, "status": {"allocation": ALLOCATED, "reservedFor": [POD]}}
    assert update(new, old, "status") == told("""
        - status.reservedFor: Forbidden: new entries may not be added while
          `deallocationRequested` or `deletionTimestamp` are set
        """)
    assert update(old, new, "status") == []


def test_a_request_is_for_one_device_by_default() -> None:
    """In alternatives too."""
    exact = {**EXACTLY, "tolerations": [{"key": "a"}]}
    made = defaulted(
        claim({"name": "r", "exactly": exact}, {"name": "s", "firstAvailable": [{"name": "a"}]})
    )["spec"]["devices"]["requests"]
    whole = {"allocationMode": "ExactCount", "count": 1}
    tolerations = [{"key": "a", "operator": "Equal"}]
    assert made[0]["exactly"] == {**exact, **whole, "tolerations": tolerations}
    assert made[1]["firstAvailable"] == [{"name": "a", **whole}]
