"""Ten applications of several objects each, applied as they are and brought to Ready.

They are written after what Kubernetes' own documentation and well-known charts have users apply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from actors.testing import virtual
from orchestrator.cluster import BareCluster, ClusterConfig
from orchestrator.resources.objects import Object, name_of, status_of
from tests.e2e.daemon import Daemon

FOLDER = Path(__file__).parents[2] / "docs" / "examples" / "applications"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
PATIENCE = 300.0
"""Virtual seconds until an application has to be ready."""


def objects(name: str) -> list[Object]:
    """Return an application's objects in the order in which they stand in its file."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    return [obj for obj in yaml.safe_load_all(text) if obj]


class Application:
    """One application in a cluster that has nothing else."""

    def __init__(self, cluster: BareCluster, name: str) -> None:
        self.store = cluster.store
        self.kinds = {kind.kind: kind.resource for kind in self.store.registry.kinds()}
        self.parts = objects(name)

    async def apply(self) -> None:
        """Create every object, checked as those of users are."""
        for obj in self.parts:
            await self.store.create(obj, resource=self.kinds[obj["kind"]], namespace="default")

    def missing(self) -> list[str]:
        """Return what is not ready yet."""
        found: list[str] = []
        for obj in self.parts:
            now = self.store.get(self.kinds[obj["kind"]], "default", name_of(obj))
            name = f"{obj['kind']} {name_of(obj)}"
            if now is None:
                found.append(f"{name} is gone")
            elif why := _wanting(now):
                found.append(f"{name}: {why}")
        for pod in self.store.list("pods", "default"):
            status = status_of(pod)
            ready = any(
                item["type"] == "Ready" and item["status"] == "True"
                for item in status.get("conditions") or ()
            )
            if status.get("phase") != "Succeeded" and not ready:
                found.append(f"pod {name_of(pod)}: {status.get('phase')}")
        claims = self.store.list("persistentvolumeclaims", "default")
        unbound = [claim for claim in claims if status_of(claim).get("phase") != "Bound"]
        return [*found, *(f"claim {name_of(claim)} is not bound" for claim in unbound)]


def _wanting(obj: Object) -> str:
    """Return what an object's status lacks of its spec, or nothing."""
    status, spec = status_of(obj), obj.get("spec") or {}
    match obj["kind"]:
        case "Deployment" | "StatefulSet" | "ReplicationController":
            ready, due = status.get("readyReplicas", 0), spec["replicas"]
            return "" if ready == due else f"{ready} of {due} are ready"
        case "DaemonSet":
            ready, due = status.get("numberReady"), status.get("desiredNumberScheduled")
            return "" if due and ready == due else f"{ready} of {due} are ready"
        case "Job":
            over = status.get("succeeded", 0) == spec["completions"]
            return "" if over and status.get("completionTime") else f"{status}"
        case "HorizontalPodAutoscaler":
            metrics = status.get("currentMetrics") or [{}]
            used = (metrics[0].get("resource") or {}).get("current", {})
            return "" if used.get("averageUtilization", 100) <= 55 else f"at {used}"
        case "PodDisruptionBudget":
            return "" if status.get("disruptionsAllowed") else "allows no disruption"
        case _:
            return ""


def test_there_are_ten() -> None:
    """Each brings something that the others do not."""
    assert len(NAMES) == 10
    kinds = {obj["kind"] for name in NAMES for obj in objects(name)}
    assert {
        "CronJob",
        "DaemonSet",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Job",
        "PodDisruptionBudget",
        "ReplicationController",
        "StatefulSet",
    } <= kinds


@pytest.mark.parametrize("name", NAMES)
def test_an_application_gets_ready(name: str) -> None:
    """All its workloads run, its claims are bound, its Jobs are done, its autoscaler is content."""

    @virtual
    async def scenario() -> None:
        config = ClusterConfig(runtime="simulated", nodes=3, seed=1)
        async with BareCluster(config) as cluster:
            application = Application(cluster, name)
            await application.apply()
            loop = asyncio.get_running_loop()
            end = loop.time() + PATIENCE
            while missing := application.missing():
                assert loop.time() < end, missing
                await asyncio.sleep(1)

    scenario()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose nodes run processes."""
    running = Daemon(tmp_path_factory.mktemp("applications")).start()
    yield running
    assert running.stop() == 0
    assert running.processes() == []


@pytest.mark.e2e
def test_a_pipeline_of_processes_works_its_parts(
    daemon: Daemon, kube: Callable[[str], str]
) -> None:
    """Each part finds its word in the ConfigMap, and a report made by hand finds all of them."""
    kube("create namespace pipeline")
    kube(f"apply -n pipeline -f {FOLDER / 'pipeline.yaml'}")
    kube("wait -n pipeline --for=condition=complete job/map --timeout=30s")
    kube("create job -n pipeline --from=cronjob/report now")
    kube("wait -n pipeline --for=condition=complete job/now --timeout=30s")
    told = kube("logs -n pipeline job/now")
    assert told == "part 0 is one\npart 1 is two\npart 2 is three\n"
    assert "Bound" in kube("get pvc -n pipeline results")
    kube("delete namespace pipeline --timeout=30s")
    assert not list((daemon.state / "volumes").glob("*"))


@pytest.mark.e2e
def test_a_canary_of_processes_serves_both_versions(kube: Callable[[str], str]) -> None:
    """Both are behind one Service; scaled to nothing, the old one serves no more."""
    kube("create namespace shop")
    kube(f"apply -n shop -f {FOLDER / 'canary.yaml'}")
    for name in ("shop-stable", "shop-canary"):
        kube(f"rollout status -n shop deploy/{name} --timeout=30s")
    fetch = (
        "import urllib.request as u, os; a = os.environ['SHOP_SERVICE_HOST'];"
        "print({u.urlopen(f'http://{a}:8080', timeout=5).read().decode() for _ in range(40)})"
    )
    pods = kube("get pods -n shop -l track=canary -o name").split()
    seen = kube(f'exec -n shop {pods[0]} -- python3 -c "{fetch}"')
    assert "stable" in seen
    assert "canary" in seen
    kube("scale -n shop deploy/shop-stable --replicas=0")
    kube("wait -n shop --for=delete pod -l track=stable --timeout=30s")
    seen = kube(f'exec -n shop {pods[0]} -- python3 -c "{fetch}"')
    assert "stable" not in seen
    kube("delete namespace shop --timeout=30s")


@pytest.mark.e2e
def test_kubectl_takes_every_application(kube: Callable[[str], str]) -> None:
    """With strict validation, as a user would check them."""
    told = kube(f"apply --dry-run=server --validate=strict -f {FOLDER}")
    assert told.count("created (server dry run)") == sum(len(objects(name)) for name in NAMES)
