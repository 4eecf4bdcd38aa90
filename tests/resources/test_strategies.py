"""Laws that every kind's rules keep, and the generic rules."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import Kind, registry
from orchestrator.resources.selectors import parse_field_selector
from orchestrator.resources.strategies import check_field_selector, strategy_of

Object = dict[str, Any]
KindOf = Callable[[str], Kind]
Examples = dict[str, Object]


def test_every_kind_has_rules() -> None:
    """In every version served."""
    for version in ("1.31", "1.35", "1.37"):
        for kind in registry(version).kinds():
            strategy = strategy_of(kind)
            assert {"metadata.name", "metadata.namespace"} <= strategy.fields


def test_examples_are_valid(examples: Examples, kind_of: KindOf) -> None:
    """What users write passes validation once it is defaulted."""
    for resource, example in examples.items():
        strategy = strategy_of(kind_of(resource))
        obj = strategy.prepare_create(strategy.default(example))
        assert strategy.validate_create(obj) == [], resource


def test_defaulting_twice_is_defaulting_once(examples: Examples, kind_of: KindOf) -> None:
    """A defaulted object comes back as the same object."""
    for resource, example in examples.items():
        default = strategy_of(kind_of(resource)).default
        once = default(example)
        assert default(once) is once, resource


def test_preparing_twice_is_preparing_once(examples: Examples, kind_of: KindOf) -> None:
    """Creation and update leave what is in order alone."""
    for resource, example in examples.items():
        strategy = strategy_of(kind_of(resource))
        made = strategy.prepare_create(strategy.default(example))
        assert strategy.prepare_create(made) is made, resource
        assert strategy.prepare_update(made, made) is made, resource
        assert strategy.prepare_status(made, made) is made, resource


def test_no_rule_changes_its_argument(examples: Examples, kind_of: KindOf) -> None:
    """Objects are frozen: every function leaves its arguments as they were."""
    for resource, example in examples.items():
        strategy = strategy_of(kind_of(resource))
        before = copy.deepcopy(example)
        defaulted = strategy.default(example)
        assert example == before, resource
        kept = copy.deepcopy(defaulted)
        made = strategy.prepare_create(defaulted)
        strategy.validate_create(made)
        changed = {**made, "metadata": {**made["metadata"], "labels": {"x": "y"}}}
        strategy.prepare_update(changed, made)
        strategy.validate_update(changed, made)
        strategy.prepare_status({**made, "status": {"x": 1}}, made)
        strategy.selectable_fields(made)
        assert defaulted == kept, resource


def test_unchanged_parts_are_shared(examples: Examples, kind_of: KindOf) -> None:
    """A status write shares the spec with the old object."""
    for resource in ("pods", "deployments.apps", "services"):
        strategy = strategy_of(kind_of(resource))
        old = strategy.prepare_create(strategy.default(examples[resource]))
        kept = {"qosClass": "BestEffort"} if resource == "pods" else {}
        new = strategy.prepare_status({**old, "spec": {}, "status": {"x": 1}}, old)
        assert new["spec"] is old["spec"]
        assert new["status"] == {"x": 1, **kept}


def test_generations_count_changes_of_the_spec_alone(examples: Examples, kind_of: KindOf) -> None:
    """1 at first; labels, annotations and status do not count."""
    strategy = strategy_of(kind_of("deployments.apps"))
    sent = {**examples["deployments.apps"], "status": {"replicas": 9}}
    old = strategy.prepare_create(strategy.default(sent))
    assert old["metadata"]["generation"] == 1
    assert old["status"] == {}
    scaled = strategy.prepare_update({**old, "spec": {**old["spec"], "replicas": 5}}, old)
    assert scaled["metadata"]["generation"] == 2
    relabelled = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}, "generation": 77}}
    assert strategy.prepare_update(relabelled, old)["metadata"]["generation"] == 1
    assert strategy.prepare_update({**old, "status": {"x": 1}}, old) is not old
    assert strategy.prepare_update({**old, "status": {"x": 1}}, old)["status"] == {}


def test_kinds_without_generation_have_none(examples: Examples, kind_of: KindOf) -> None:
    """ConfigMaps, Secrets, Services and the like."""
    for resource in ("configmaps", "secrets", "services", "namespaces"):
        strategy = strategy_of(kind_of(resource))
        sent = examples[resource]
        sent = {**sent, "metadata": {**sent["metadata"], "generation": 3}}
        assert "generation" not in strategy.prepare_create(sent)["metadata"]


def test_identity_survives_an_update_that_leaves_it_out(
    examples: Examples, kind_of: KindOf
) -> None:
    """A PUT need not repeat uid and creation time, and cannot undo a deletion."""
    strategy = strategy_of(kind_of("configmaps"))
    sent = examples["configmaps"]
    system = {"uid": "u", "creationTimestamp": "t", "deletionTimestamp": "d"}
    old = {**sent, "metadata": {**sent["metadata"], **system}}
    assert strategy.prepare_update(sent, old)["metadata"] == old["metadata"]


@pytest.mark.parametrize(
    ("metadata", "messages"),
    [
        ({}, ["metadata.name: Required value: name or generateName is required"]),
        ({"generateName": "web-"}, []),
        ({"name": "a", "namespace": ""}, ["metadata.namespace: Required value"]),
        (
            {"name": "a", "labels": {"x y": "1"}},
            [
                (
                    'metadata.labels: Invalid value: "x y": name part must consist of alphanumeric '
                    "characters, '-', '_' or '.', and must start and end with an alphanumeric "
                    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
                    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
                )
            ],
        ),
        (
            {"name": "a", "annotations": {"a": "x" * 262144}},
            ["metadata.annotations: Too long: may not be more than 262144 bytes"],
        ),
        (
            {"name": "a", "finalizers": ["mine"]},
            [
                (
                    'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard '
                    "finalizer name nor is it fully qualified"
                )
            ],
        ),
        (
            {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]},
            [
                'metadata.ownerReferences[0].uid: Invalid value: "": uid must not be empty',
            ],
        ),
    ],
)
def test_metadata_is_checked(metadata: Object, messages: list[str], kind_of: KindOf) -> None:
    """In upstream's words, for every kind alike."""
    strategy = strategy_of(kind_of("serviceaccounts"))
    obj = {"metadata": {"namespace": "default", **metadata}}
    assert [str(problem) for problem in strategy.validate_create(obj)] == messages


def test_a_cluster_scoped_object_has_no_namespace(kind_of: KindOf) -> None:
    """Upstream forbids the field there."""
    problems = strategy_of(kind_of("namespaces")).validate_create(
        {"metadata": {"name": "a", "namespace": "b"}}
    )
    assert [str(p) for p in problems] == ["metadata.namespace: Forbidden: not allowed on this type"]


def test_two_controllers_are_refused(kind_of: KindOf) -> None:
    """The complaint names both owners."""
    owner = {"apiVersion": "v1", "kind": "Pod", "uid": "u", "controller": True}
    obj = {
        "metadata": {
            "name": "a",
            "namespace": "b",
            "ownerReferences": [{**owner, "name": "one"}, {**owner, "name": "two"}],
        }
    }
    problem = strategy_of(kind_of("configmaps")).validate_create(obj)[0]
    assert problem.field == "metadata.ownerReferences"
    assert problem.message.endswith(
        "Only one reference can have Controller set to true. Found "
        '"true" in references for one and two'
    )


@pytest.mark.parametrize("field", ["name", "uid", "creationTimestamp"])
def test_system_metadata_is_immutable(field: str, kind_of: KindOf) -> None:
    """A changed identity is refused."""
    old = {"metadata": {"name": "a", "namespace": "b", "uid": "u", "creationTimestamp": "t"}}
    new = {"metadata": {**old["metadata"], field: "c"}}
    problems = strategy_of(kind_of("configmaps")).validate_update(new, old)
    assert f'metadata.{field}: Invalid value: "c": field is immutable' in [str(p) for p in problems]


def test_a_terminating_object_takes_no_new_finalizers(kind_of: KindOf) -> None:
    """Removing them stays possible."""
    strategy = strategy_of(kind_of("configmaps"))
    base = {"name": "a", "namespace": "b", "deletionTimestamp": "t"}
    old = {"metadata": {**base, "finalizers": ["x/a", "x/b"]}}
    assert strategy.validate_update({"metadata": {**base, "finalizers": ["x/a"]}}, old) == []
    more = {"metadata": {**base, "finalizers": ["x/a", "x/b", "x/c"]}}
    assert [str(p) for p in strategy.validate_update(more, old)] == [
        (
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being "
            'deleted, found new finalizers []string{"x/c"}'
        )
    ]


@pytest.mark.parametrize(
    ("resource", "selector", "message"),
    [
        ("pods", "spec.foo=1", "field label not supported: spec.foo"),
        ("nodes", "metadata.namespace=a", "field label not supported: metadata.namespace"),
        ("events", "regarding.name=a", "field label not supported: regarding.name"),
        (
            "certificatesigningrequests.certificates.k8s.io",
            "spec.request=a",
            "field label not supported: spec.request",
        ),
        (
            "jobs.batch",
            "status.succeeded=1",
            'field label "status.succeeded" not supported for batchv1.Job',
        ),
        (
            "statefulsets.apps",
            "spec.a=1",
            "field label not supported for appsv1.StatefulSet: spec.a",
        ),
        (
            "resourceslices.resource.k8s.io",
            "metadata.namespace=a",
            (
                "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: "
                "metadata.namespace"
            ),
        ),
        (
            "deployments.apps",
            "status.replicas=1",
            (
                '"status.replicas" is not a known field selector: only "metadata.name", '
                '"metadata.namespace"'
            ),
        ),
        (
            "configmaps",
            "data.a=1",
            '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
    ],
)
def test_unknown_fields_cannot_select(
    resource: str, selector: str, message: str, kind_of: KindOf
) -> None:
    """400 in the words of the kind's group."""
    with pytest.raises(StatusError) as caught:
        check_field_selector(kind_of(resource), parse_field_selector(selector))
    assert (caught.value.code, caught.value.message) == (400, message)
    check_field_selector(kind_of(resource), parse_field_selector("metadata.name=a"))


FIELDS = {
    "certificatesigningrequests.certificates.k8s.io": "spec.signerName",
    "events": "involvedObject.kind,involvedObject.namespace,involvedObject.name,"
    "involvedObject.uid,involvedObject.apiVersion,involvedObject.resourceVersion,"
    "involvedObject.fieldPath,reason,reportingComponent,source,type,metadata.namespace",
    "jobs.batch": "status.successful",
    "namespaces": "status.phase",
    "nodes": "spec.unschedulable",
    "pods": "spec.nodeName,spec.host,spec.restartPolicy,spec.schedulerName,"
    "spec.serviceAccountName,spec.hostNetwork,status.phase,status.podIP,status.podIPs,"
    "status.nominatedNodeName,metadata.namespace",
    "replicasets.apps": "status.replicas",
    "replicationcontrollers": "status.replicas",
    "resourceslices.resource.k8s.io": "spec.nodeName,spec.driver",
    "secrets": "type",
    "services": "spec.clusterIP,spec.type",
    "statefulsets.apps": "status.successful",
}


@pytest.mark.parametrize("resource", FIELDS)
def test_a_kind_can_be_selected_by_what_upstream_offers(resource: str, kind_of: KindOf) -> None:
    """Each field alone."""
    for field in ("metadata.name", *FIELDS[resource].split(",")):
        check_field_selector(kind_of(resource), parse_field_selector(f"{field}=x"))


def test_selectable_values_are_those_that_are_promised(examples: Examples, kind_of: KindOf) -> None:
    """Every field a selector may use has a text for every object."""
    for resource, example in examples.items():
        strategy = strategy_of(kind_of(resource))
        values = strategy.selectable_fields(strategy.default(example))
        assert set(values) >= strategy.fields, resource
        assert all(isinstance(value, str) for value in values.values())


def test_objects_stay_json(examples: Examples, kind_of: KindOf) -> None:
    """No tuple or other Python value slips into an object."""
    for resource, example in examples.items():
        strategy = strategy_of(kind_of(resource))
        made = strategy.prepare_create(strategy.default(example))
        assert json.loads(json.dumps(made)) == made
