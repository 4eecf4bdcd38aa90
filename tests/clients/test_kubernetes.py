"""Sessions with ``kubernetes``, the official Python client."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config, utils, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.informer import ADDED, DELETED, MODIFIED, SharedInformer
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from tests.clients.manifests import GROUP, config_map, custom, custom_kind, pod, sleeper

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("untidy"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

DEADLINE = 30
"""Seconds that a watch may take to see what it waits for."""


@pytest.fixture
def api(kubeconfig: str) -> Iterator[client.ApiClient]:
    """A client of the cluster."""
    settings = client.Configuration()
    config.load_kube_config(kubeconfig, client_configuration=settings)
    client.Configuration.set_default(settings)  # create_from_yaml and the locks use it
    with client.ApiClient(settings) as made:
        yield made


@pytest.fixture
def core(api: client.ApiClient, namespace: str) -> client.CoreV1Api:
    """The core API, with the test's namespace made."""
    made = client.CoreV1Api(api)
    made.create_namespace({"metadata": {"name": namespace}})
    return made


def test_a_deployment_from_typed_models(
    api: client.ApiClient, core: client.CoreV1Api, namespace: str
) -> None:
    """Built of model classes, watched to readiness, changed in every way, looked into, deleted."""
    apps = client.AppsV1Api(api)
    labels = {"app": "web"}
    container = client.V1Container(
        name="main",
        image="sleeper:1",
        command=["sh", "-c", "echo started; exec sleep 3600"],
        ports=[client.V1ContainerPort(container_port=80, name="http")],
        resources=client.V1ResourceRequirements(requests={"cpu": "10m"}),
    )
    spec = client.V1PodSpec(containers=[container], termination_grace_period_seconds=1)
    template = client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels=labels), spec=spec)
    body = client.V1Deployment(
        metadata=client.V1ObjectMeta(name="web", labels=labels),
        spec=client.V1DeploymentSpec(
            replicas=2, selector=client.V1LabelSelector(match_labels=labels), template=template
        ),
    )
    made = apps.create_namespaced_deployment(namespace, body)
    assert isinstance(made.metadata.creation_timestamp, dt.datetime)
    assert made.spec.strategy.rolling_update.max_surge == "25%"

    follower = watch.Watch()
    for event in follower.stream(
        apps.list_namespaced_deployment,
        namespace,
        resource_version=made.metadata.resource_version,
        timeout_seconds=DEADLINE,
    ):
        assert event["type"] == "MODIFIED"
        if (event["object"].status.ready_replicas or 0) == 2:
            follower.stop()
            break
    else:
        pytest.fail("the Deployment did not get ready")

    pods = core.list_namespaced_pod(namespace, label_selector="app=web").items
    assert {p.status.phase for p in pods} == {"Running"}
    name = pods[0].metadata.name
    assert core.read_namespaced_pod_log(name, namespace) == "started\n"
    assert core.read_namespaced_pod_log(name, namespace, tail_lines=1) == "started\n"
    reasons: set[str] = set()
    follower = watch.Watch()
    for event in follower.stream(
        core.list_namespaced_event,
        namespace,
        field_selector=f"involvedObject.name={name}",
        timeout_seconds=DEADLINE,
    ):
        reasons.add(event["object"].reason)
        if reasons >= {"Scheduled", "Started"}:
            follower.stop()
    assert reasons >= {"Scheduled", "Started"}

    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 1}})
    assert apps.read_namespaced_deployment_scale("web", namespace).spec.replicas == 1
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    assert apps.patch_namespaced_deployment("web", namespace, operations).spec.replicas == 3
    current = apps.read_namespaced_deployment("web", namespace)
    current.spec.replicas = 1
    current.metadata.resource_version = made.metadata.resource_version
    with pytest.raises(ApiException) as conflict:
        apps.replace_namespaced_deployment("web", namespace, current)
    assert (conflict.value.status, conflict.value.reason) == (409, "Conflict")
    current.metadata.resource_version = None
    assert apps.replace_namespaced_deployment("web", namespace, current).spec.replicas == 1

    current.spec.template.spec.containers[0].name = "Not a name"
    with pytest.raises(ApiException) as invalid:
        apps.replace_namespaced_deployment("web", namespace, current)
    assert invalid.value.status == 422
    status = yaml.safe_load(invalid.value.body)
    assert status["details"]["causes"][0]["field"] == "spec.template.spec.containers[0].name"

    version = apps.read_namespaced_deployment("web", namespace).metadata.resource_version
    apps.delete_namespaced_deployment("web", namespace, propagation_policy="Foreground")
    follower = watch.Watch()
    for event in follower.stream(
        apps.list_namespaced_deployment,
        namespace,
        resource_version=version,
        timeout_seconds=DEADLINE,
    ):
        if event["type"] == "DELETED":
            follower.stop()
    assert apps.list_namespaced_replica_set(namespace).items == []
    with pytest.raises(ApiException) as missing:
        apps.read_namespaced_deployment("web", namespace)
    assert missing.value.status == 404


def test_reflecting_a_kind(core: client.CoreV1Api, namespace: str) -> None:
    """List by pages, watch from there to a server-side timeout, initial events and bookmarks."""
    for number in range(5):
        body = config_map(f"c{number}", n=str(number))
        body["metadata"]["labels"] = {"own": "yes"}
        core.create_namespaced_config_map(namespace, body)
    pages, token = [], None
    while True:
        page = core.list_namespaced_config_map(
            namespace, limit=2, _continue=token, label_selector="own"
        )
        pages.append([item.metadata.name for item in page.items])
        token = page.metadata._continue
        if not token:
            break
    assert pages == [["c0", "c1"], ["c2", "c3"], ["c4"]]
    version = page.metadata.resource_version
    core.patch_namespaced_config_map("c0", namespace, {"data": {"n": "9"}})
    core.delete_namespaced_config_map("c1", namespace)
    core.delete_collection_namespaced_config_map(namespace, label_selector="own")
    seen = [
        (event["type"], event["object"].metadata.name)
        for event in watch.Watch().stream(
            core.list_namespaced_config_map,
            namespace,
            resource_version=version,
            label_selector="own",
            timeout_seconds=1,
        )
    ]
    assert seen[:2] == [("MODIFIED", "c0"), ("DELETED", "c1")]
    assert set(seen[2:]) == {("DELETED", name) for name in ("c0", "c2", "c3", "c4")}
    raw = core.list_namespaced_config_map(
        namespace,
        watch=True,
        allow_watch_bookmarks=True,
        send_initial_events=True,
        resource_version_match="NotOlderThan",
        timeout_seconds=1,
        _preload_content=False,
    )
    lines = [yaml.safe_load(line) for line in raw.data.splitlines()]
    end = next(line["object"] for line in lines if line["type"] == "BOOKMARK")
    assert end["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"


def test_the_shared_informer(core: client.CoreV1Api, namespace: str) -> None:
    """Its cache holds what was there, and what changes fires its handlers."""
    core.create_namespaced_config_map(namespace, config_map("old", a="1"))
    seen: dict[str, threading.Event] = {}
    informer = SharedInformer(list_func=core.list_namespaced_config_map, namespace=namespace)

    def note(kind: str) -> Any:
        def handler(obj: Any) -> None:
            seen.setdefault(f"{kind} {obj.metadata.name}", threading.Event()).set()

        return handler

    def wait_for(what: str) -> None:
        assert seen.setdefault(what, threading.Event()).wait(DEADLINE), f"{what} in {seen}"

    for kind in (ADDED, MODIFIED, DELETED):
        informer.add_event_handler(kind, note(kind))
    informer.start()
    try:
        wait_for("ADDED old")
        assert informer.cache.get_by_key(f"{namespace}/old").data == {"a": "1"}
        core.create_namespaced_config_map(namespace, config_map("new", a="1"))
        wait_for("ADDED new")
        core.patch_namespaced_config_map("new", namespace, {"data": {"a": "2"}})
        wait_for("MODIFIED new")
        assert informer.cache.get_by_key(f"{namespace}/new").data == {"a": "2"}
        core.delete_namespaced_config_map("new", namespace)
        wait_for("DELETED new")
        assert informer.cache.get_by_key(f"{namespace}/new") is None
    finally:
        core.create_namespaced_config_map(namespace, config_map("last"))  # wakes its watch
        informer.stop()


def test_server_side_apply(core: client.CoreV1Api, namespace: str) -> None:
    """Two managers share an object by fields; a conflict names both."""
    apply: dict[str, Any] = {"_content_type": "application/apply-patch+yaml"}
    one = core.patch_namespaced_config_map(
        "shared", namespace, config_map("shared", a="1", b="1"), field_manager="one", **apply
    )
    assert one.metadata.managed_fields[0].operation == "Apply"
    with pytest.raises(ApiException) as conflict:
        core.patch_namespaced_config_map(
            "shared", namespace, config_map("shared", b="2"), field_manager="two", **apply
        )
    status = yaml.safe_load(conflict.value.body)
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.b'
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.b"}
    ]
    core.patch_namespaced_config_map(
        "shared",
        namespace,
        config_map("shared", b="2"),
        field_manager="two",
        force=True,
        dry_run="All",
        **apply,
    )
    assert core.read_namespaced_config_map("shared", namespace).data == {"a": "1", "b": "1"}
    core.patch_namespaced_config_map(
        "shared", namespace, config_map("shared", b="2"), field_manager="two", force=True, **apply
    )
    left = core.patch_namespaced_config_map(
        "shared", namespace, config_map("shared"), field_manager="one", **apply
    )
    assert left.data == {"b": "2"}


def test_manifests_in_files(
    api: client.ApiClient, core: client.CoreV1Api, namespace: str, tmp_path: Path
) -> None:
    """``create_from_yaml``: documents, lists, directories, what fails is told apart."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    listed = {"apiVersion": "v1", "kind": "List", "items": [config_map("in-list", a="1")]}
    path = tmp_path / "many.yaml"
    path.write_text(yaml.safe_dump_all([sleeper("web", replicas=0), role, listed]))
    made = utils.create_from_yaml(api, str(path), namespace=namespace)
    assert [type(one[0]).__name__ for one in made] == ["V1Deployment", "V1Role", "V1ConfigMap"]
    with pytest.raises(utils.FailToCreateError) as failure:
        utils.create_from_yaml(api, str(path), namespace=namespace)
    assert [error.status for error in failure.value.api_exceptions] == [409, 409, 409]
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.yaml").write_text(yaml.safe_dump(config_map("from-directory")))
    utils.create_from_directory(api, str(tmp_path / "more"), namespace=namespace)
    bad = {**config_map("bad"), "metadata": {"name": "Bad_Name"}}
    with pytest.raises(utils.FailToCreateError, match="Invalid value"):
        utils.create_from_dict(api, bad, namespace=namespace)
    utils.create_from_dict(api, {**pod("one"), "kind": "Pod"}, namespace=namespace)
    names = {item.metadata.name for item in core.list_namespaced_config_map(namespace).items}
    assert names >= {"in-list", "from-directory"}


def test_leader_election(core: client.CoreV1Api, namespace: str) -> None:
    """The second candidate leads when the first lets its lock run out."""
    led: list[str] = []
    taken_over = threading.Event()

    def candidate(name: str, lock_class: Any = LeaseLock) -> leaderelection.LeaderElection:
        def lead() -> None:
            led.append(name)
            if len(led) == 2:
                taken_over.set()

        settings = electionconfig.Config(
            lock_class("leader", namespace, name),
            lease_duration=2,
            renew_deadline=1.5,
            retry_period=1,
            onstarted_leading=lead,
            onstopped_leading=lambda: None,
        )
        return leaderelection.LeaderElection(settings)

    assert candidate("old", ConfigMapLock).try_acquire_or_renew()
    assert not candidate("other", ConfigMapLock).try_acquire_or_renew()
    first, second = candidate("first"), candidate("second")
    assert first.try_acquire_or_renew()
    assert not second.try_acquire_or_renew()
    assert first.try_acquire_or_renew()
    led.append("first")
    runner = threading.Thread(target=second.run)
    runner.start()
    try:
        assert taken_over.wait(DEADLINE)
        assert led == ["first", "second"]
    finally:
        # Its loop ends when it can't renew: somebody else's name, and the namespace's end.
        core.delete_namespace(namespace)
        runner.join(DEADLINE)
    assert not runner.is_alive()


def test_a_custom_kind(api: client.ApiClient, core: client.CoreV1Api, namespace: str) -> None:
    """Defined, established, used with status, scale and patches, watched, selected, removed."""
    extensions = client.ApiextensionsV1Api(api)
    extensions.create_custom_resource_definition(custom_kind("gadgets", "Gadget"))
    follower = watch.Watch()
    for event in follower.stream(
        extensions.list_custom_resource_definition,
        field_selector=f"metadata.name=gadgets.{GROUP}",
        timeout_seconds=DEADLINE,
    ):
        conditions = event["object"].status.conditions if event["object"].status else None
        if any(c.type == "Established" and c.status == "True" for c in conditions or []):
            follower.stop()
    custom_api = client.CustomObjectsApi(api)
    place = (GROUP, "v1", namespace, "gadgets")
    made = custom_api.create_namespaced_custom_object(*place, custom("Gadget", "g", size=3))
    assert made["spec"] == {"size": 3, "limit": 10}
    for spec, message in (
        ({"size": 11}, "size must not exceed limit"),
        ({"size": "x"}, "spec.size: Invalid value"),
        ({}, "spec.size: Required value"),
        ({"size": 1, "color": "blue"}, 'Unsupported value: "blue"'),
    ):
        with pytest.raises(ApiException) as invalid:
            custom_api.create_namespaced_custom_object(*place, custom("Gadget", "bad", **spec))
        assert invalid.value.status == 422
        assert message in yaml.safe_load(invalid.value.body)["message"]
    custom_api.patch_namespaced_custom_object_status(*place, "g", {"status": {"phase": "Ready"}})
    found = custom_api.get_namespaced_custom_object(*place, "g")
    assert found["status"] == {"phase": "Ready"}
    assert found["metadata"]["generation"] == 1
    custom_api.patch_namespaced_custom_object(
        *place, "g", {"spec": {"color": "red"}, "status": {"phase": "Ignored"}}
    )
    found = custom_api.get_namespaced_custom_object(*place, "g")
    assert (found["status"]["phase"], found["metadata"]["generation"]) == ("Ready", 2)
    custom_api.patch_namespaced_custom_object_scale(*place, "g", {"spec": {"replicas": 5}})
    scale = custom_api.get_namespaced_custom_object_scale(*place, "g")
    assert scale["spec"]["replicas"] == 5
    custom_api.create_namespaced_custom_object(*place, custom("Gadget", "h", size=1))
    red = custom_api.list_namespaced_custom_object(*place, field_selector="spec.color=red")
    assert [item["metadata"]["name"] for item in red["items"]] == ["g"]
    seen = [
        event["object"]["metadata"]["name"]
        for event in watch.Watch().stream(
            custom_api.list_namespaced_custom_object, *place, timeout_seconds=1
        )
    ]
    assert sorted(seen) == ["g", "h"]
    everywhere = custom_api.list_cluster_custom_object(GROUP, "v1", "gadgets")
    assert len(everywhere["items"]) == 2
    custom_api.delete_namespaced_custom_object(*place, "h")
    definition = extensions.read_custom_resource_definition(f"gadgets.{GROUP}")
    extensions.delete_custom_resource_definition(f"gadgets.{GROUP}")
    follower = watch.Watch()
    for event in follower.stream(
        extensions.list_custom_resource_definition,
        resource_version=definition.metadata.resource_version,
        timeout_seconds=DEADLINE,
    ):
        if event["type"] == "DELETED":
            follower.stop()
    with pytest.raises(ApiException) as gone:
        custom_api.list_namespaced_custom_object(*place)
    assert gone.value.status == 404


def test_an_account_with_a_role(
    api: client.ApiClient, core: client.CoreV1Api, namespace: str
) -> None:
    """A token of a ServiceAccount may do what its Role allows and is told what it may not."""
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "robot"}})
    rbac = client.RbacAuthorizationV1Api(api)
    rule = client.V1PolicyRule(api_groups=[""], resources=["configmaps"], verbs=["get", "list"])
    rbac.create_namespaced_role(
        namespace, client.V1Role(metadata=client.V1ObjectMeta(name="reader"), rules=[rule])
    )
    rbac.create_namespaced_role_binding(
        namespace,
        {
            "metadata": {"name": "readers"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": "reader",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": namespace}],
        },
    )
    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600)
    )
    token = core.create_namespaced_service_account_token("robot", namespace, request).status.token
    reviews = client.AuthenticationV1Api(api)
    review = reviews.create_token_review({"spec": {"token": token}}).status
    assert review.authenticated
    assert review.user.username == f"system:serviceaccount:{namespace}:robot"

    settings = client.Configuration()
    settings.host = api.configuration.host
    settings.ssl_ca_cert = api.configuration.ssl_ca_cert
    settings.api_key = {"authorization": f"Bearer {token}"}
    with client.ApiClient(settings) as robot:
        own = client.CoreV1Api(robot)
        assert own.list_namespaced_config_map(namespace).items
        with pytest.raises(ApiException) as forbidden:
            own.list_namespaced_secret(namespace)
        assert forbidden.value.status == 403
        assert yaml.safe_load(forbidden.value.body)["message"] == (
            f'secrets is forbidden: User "system:serviceaccount:{namespace}:robot" cannot list '
            f'resource "secrets" in API group "" in the namespace "{namespace}"'
        )
        access = client.AuthorizationV1Api(robot)
        asked = {"resource": "configmaps", "verb": "get", "namespace": namespace}
        review = access.create_self_subject_access_review({"spec": {"resourceAttributes": asked}})
        assert review.status.allowed


def test_what_else_is_asked(api: client.ApiClient, core: client.CoreV1Api, namespace: str) -> None:
    """Versions, groups, nodes, evictions, bindings, leases, generated names, dry runs."""
    assert client.VersionApi(api).get_code().git_version.startswith("v1.")
    groups = {group.name for group in client.ApisApi(api).get_api_versions().groups}
    assert {"apps", "batch", "apiextensions.k8s.io", "admissionregistration.k8s.io"} <= groups
    assert "v1" in client.CoreApi(api).get_api_versions().versions
    nodes = core.list_node().items
    assert all(any(c.type == "Ready" for c in node.status.conditions) for node in nodes)
    core.patch_node("node-1", {"metadata": {"labels": {"tier": "a"}}})
    assert core.read_node("node-1").metadata.labels["tier"] == "a"
    core.patch_node("node-1", {"metadata": {"labels": {"tier": None}}})
    named = core.create_namespaced_config_map(namespace, {"metadata": {"generateName": "gen-"}})
    assert len(named.metadata.name) == len("gen-") + 5
    core.create_namespaced_config_map(namespace, config_map("dry"), dry_run="All")
    with pytest.raises(ApiException, match="404"):
        core.read_namespaced_config_map("dry", namespace)
    core.create_namespaced_pod(namespace, pod("victim"))
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name="victim"))
    core.create_namespaced_pod_eviction("victim", namespace, eviction)
    now = dt.datetime.now(dt.UTC)
    lease = client.V1Lease(
        metadata=client.V1ObjectMeta(name="lock"),
        spec=client.V1LeaseSpec(holder_identity="me", renew_time=now, lease_duration_seconds=5),
    )
    made = client.CoordinationV1Api(api).create_namespaced_lease(namespace, lease)
    assert made.spec.renew_time == now
    secret = client.V1Secret(metadata=client.V1ObjectMeta(name="s"), string_data={"k": "v"})
    assert core.create_namespaced_secret(namespace, secret).data == {"k": "dg=="}
    with pytest.raises(ApiException) as strict:
        core.create_namespaced_config_map(namespace, config_map("x"), field_validation="Stricter")
    assert 'fieldValidation: Unsupported value: \\"Stricter' in strict.value.body
