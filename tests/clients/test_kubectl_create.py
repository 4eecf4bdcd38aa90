"""Every generator of ``kubectl create``, ``run`` and ``expose``, with every kubectl at hand."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from tests.clients.kubectl import Kubectl

pytestmark = pytest.mark.e2e


@pytest.mark.kubectl_since(27)
def test_workloads(kube: Kubectl) -> None:
    """Deployments, Jobs and CronJobs as written on the command line; a Job from a CronJob."""
    made = kube("create deployment web --image=web:1 --image=side:2 --replicas=2 --port=80")
    assert made == "deployment.apps/web created\n"
    deployment = kube.json("get deploy web")
    assert deployment["metadata"]["labels"] == {"app": "web"}
    assert deployment["spec"]["replicas"] == 2
    containers = deployment["spec"]["template"]["spec"]["containers"]
    assert [c["image"] for c in containers] == ["web:1", "side:2"]
    assert containers[0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert 'deployments.apps "web" already exists' in kube.refused(
        "create deployment web --image=web:1"
    )
    kube("create job once --image=busybox -- echo hello")
    job = kube.json("get job once")
    assert job["spec"]["template"]["spec"]["containers"][0]["command"] == ["echo", "hello"]
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert job["spec"]["backoffLimit"] == 6
    kube("create cronjob nightly --image=busybox", "--schedule=0 1 * * *", "--", "date")
    assert kube.json("get cronjob nightly")["spec"]["schedule"] == "0 1 * * *"
    kube("create job tonight --from=cronjob/nightly")
    tonight = kube.json("get job tonight")
    assert tonight["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
    assert tonight["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    refused = kube.refused("create cronjob bad --image=busybox --schedule=nonsense")
    assert "spec.schedule: Invalid value" in refused


def test_configuration(kube: Kubectl, tmp_path: Path) -> None:
    """ConfigMaps and Secrets of literals, files, directories and key pairs."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "a.conf").write_text("a = 1\n")
    (tmp_path / "etc" / "b.bin").write_bytes(b"\xff\x00")
    (tmp_path / "env").write_text("# comment\nX=1\nY=two\n")
    kube("create configmap settings --from-literal=k=v --from-file=etc --from-file=own=etc/a.conf")
    settings = kube.json("get cm settings")
    assert settings["data"] == {"k": "v", "a.conf": "a = 1\n", "own": "a = 1\n"}
    assert base64.b64decode(settings["binaryData"]["b.bin"]) == b"\xff\x00"
    kube("create cm environment --from-env-file=env")
    assert kube.json("get cm environment")["data"] == {"X": "1", "Y": "two"}
    kube("create secret generic keys --from-literal=k=v --type=example.com/keys")
    keys = kube.json("get secret keys")
    assert (keys["type"], keys["data"]) == ("example.com/keys", {"k": "dg=="})
    certify(tmp_path)
    kube("create secret tls web --cert=cert.pem --key=key.pem")
    assert kube.json("get secret web")["type"] == "kubernetes.io/tls"
    kube(
        "create secret docker-registry pull --docker-server=r.example.com "
        "--docker-username=u --docker-password=p --docker-email=e@example.com"
    )
    pull = kube.json("get secret pull")
    assert pull["type"] == "kubernetes.io/dockerconfigjson"
    auths = json.loads(base64.b64decode(pull["data"][".dockerconfigjson"]))["auths"]
    assert auths["r.example.com"]["auth"] == base64.b64encode(b"u:p").decode()


def certify(directory: Path) -> None:
    """Write a key and a certificate for it."""
    from orchestrator.api.certificates import ensure_certificates

    made = ensure_certificates(directory / "pki", 1_700_000_000)
    (directory / "cert.pem").write_bytes(made.certificate_file.read_bytes())
    (directory / "key.pem").write_bytes(made.key_file.read_bytes())


def test_services_and_ingresses(kube: Kubectl) -> None:
    """Every type of Service; ports and rules as the short forms say."""
    kube("create service clusterip inner --tcp=80:8080 --tcp=443:8443")
    inner = kube.json("get svc inner")["spec"]
    assert [(p["name"], p["port"], p["targetPort"]) for p in inner["ports"]] == [
        ("80-8080", 80, 8080),
        ("443-8443", 443, 8443),
    ]
    assert inner["selector"] == {"app": "inner"}
    assert inner["clusterIP"] == inner["clusterIPs"][0]
    kube("create service clusterip headless --clusterip=None --tcp=80")
    assert kube.json("get svc headless")["spec"]["clusterIP"] == "None"
    kube("create service nodeport outer --tcp=80")
    assert kube.json("get svc outer")["spec"]["ports"][0]["nodePort"] >= 30000
    kube("create service loadbalancer balanced --tcp=80")
    assert kube.json("get svc balanced")["spec"]["allocateLoadBalancerNodePorts"] is True
    kube("create service externalname elsewhere --external-name=example.com")
    assert kube.json("get svc elsewhere")["spec"]["externalName"] == "example.com"
    assert "LoadBalancer" in kube("get svc balanced")
    kube(
        "create ingress web --class=own --default-backend=inner:80 "
        "--rule=example.com/path*=inner:80,tls=cert --annotation=note=x"
    )
    ingress = kube.json("get ingress web")["spec"]
    assert ingress["ingressClassName"] == "own"
    assert ingress["tls"] == [{"hosts": ["example.com"], "secretName": "cert"}]
    path = ingress["rules"][0]["http"]["paths"][0]
    assert (path["path"], path["pathType"]) == ("/path", "Prefix")
    assert kube("get ingress web --no-headers").split()[:3] == ["web", "own", "example.com"]


def test_access_control(kube: Kubectl) -> None:
    """ServiceAccounts, their tokens, Roles and bindings."""
    kube("create serviceaccount robot")
    kube(
        "create role reader --verb=get,list,watch --resource=pods,deployments.apps "
        "--resource-name=one"
    )
    rules = kube.json("get role reader")["rules"]
    assert {tuple(rule["apiGroups"]): rule["resources"] for rule in rules} == {
        ("",): ["pods"],
        ("apps",): ["deployments"],
    }
    kube(f"create rolebinding readers --role=reader --serviceaccount={kube.namespace}:robot")
    binding = kube.json("get rolebinding readers")
    assert binding["roleRef"]["name"] == "reader"
    assert binding["subjects"][0]["namespace"] == kube.namespace
    cluster = f"clusterrole-{kube.namespace}"
    kube(f"create clusterrole {cluster} --verb=get --non-resource-url=/healthz")
    assert kube.json(f"get clusterrole {cluster}")["rules"][0]["nonResourceURLs"] == ["/healthz"]
    kube(f"create clusterrole {cluster}-all --aggregation-rule=team={cluster}")
    kube(f"create clusterrolebinding {cluster} --clusterrole={cluster} --user=jane --group=devs")
    subjects = kube.json(f"get clusterrolebinding {cluster}")["subjects"]
    assert {(s["kind"], s["name"]) for s in subjects} == {("User", "jane"), ("Group", "devs")}
    kube(f"set subject clusterrolebinding {cluster} --user=joe")
    subjects = kube.json(f"get clusterrolebinding {cluster}")["subjects"]
    assert "joe" in {s["name"] for s in subjects}
    kube(f"delete clusterrole {cluster} {cluster}-all")
    kube(f"delete clusterrolebinding {cluster}")


@pytest.mark.kubectl_since(27)
def test_policies(kube: Kubectl) -> None:
    """Quotas, PriorityClasses and PodDisruptionBudgets."""
    kube("create quota limits --hard=pods=10,requests.cpu=2 --scopes=NotTerminating")
    quota = kube.json("get quota limits")["spec"]
    assert quota == {
        "hard": {"pods": "10", "requests.cpu": "2"},
        "scopes": ["NotTerminating"],
    }
    kube("delete quota limits")
    kube("create quota room --hard=pods=1")
    kube("run one --image=web:1")
    assert 'pods "two" is forbidden: exceeded quota: room, requested: pods=1, used: pods=1, ' in (
        kube.refused("run two --image=web:1")
    )
    assert kube("describe quota room").splitlines()[-1].split() == ["pods", "1", "1"]
    kube("delete pod one --now")
    assert kube("describe quota room").splitlines()[-1].split() == ["pods", "0", "1"]
    kube("delete quota room")
    name = f"high-{kube.namespace}"
    kube(f"create priorityclass {name} --value=1000", "--description=high")
    assert kube.json(f"get priorityclass {name}")["preemptionPolicy"] == "PreemptLowerPriority"
    assert "1000" in kube(f"get pc {name}")
    kube(f"delete priorityclass {name}")
    kube("create poddisruptionbudget keep --selector=app=web --min-available=1")
    assert kube.json("get pdb keep")["spec"]["minAvailable"] == 1
    kube("create pdb some --selector=app=web --max-unavailable=50%")
    assert kube.json("get pdb some")["spec"]["maxUnavailable"] == "50%"


def test_limits(kube: Kubectl, tmp_path: Path) -> None:
    """What a LimitRange gives to a pod, and what kubectl says of it."""
    (tmp_path / "limits.yaml").write_text(
        """
apiVersion: v1
kind: LimitRange
metadata: {name: small}
spec:
  limits:
  - type: Container
    max: {cpu: 500m}
    defaultRequest: {cpu: 100m}
"""
    )
    kube("apply -f limits.yaml")
    kube("run web --image=web:1")
    resources = kube.json("get pod web")["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"cpu": "500m"}, "requests": {"cpu": "100m"}}
    described = kube("describe limits small").splitlines()[-1].split()
    assert described == ["Container", "cpu", "-", "500m", "100m", "500m", "-"]
    kube("delete limits small")


def test_running_and_exposing(kube: Kubectl) -> None:
    """A single pod by ``run``, Services by ``expose`` of whatever has a selector."""
    kube(
        "run one --image=busybox --labels=app=one,tier=x --env=A=1 --port=80 --restart=Never "
        "--command -- sleep 3600"
    )
    pod = kube.json("get pod one")
    container = pod["spec"]["containers"][0]
    assert container["command"] == ["sleep", "3600"]
    assert container["env"] == [{"name": "A", "value": "1"}]
    assert pod["spec"]["restartPolicy"] == "Never"
    kube("wait --for=condition=Ready pod/one --timeout=30s")
    kube("expose pod one --name=front --port=80 --target-port=8080 --type=NodePort")
    front = kube.json("get svc front")["spec"]
    assert front["selector"] == {"app": "one", "tier": "x"}
    assert front["ports"][0]["targetPort"] == 8080
    kube("create deployment web --image=x --port=8080 -- sleep 3600")
    kube("expose deploy web --port=80 --protocol=UDP --session-affinity=ClientIP")
    web = kube.json("get svc web")["spec"]
    assert (web["ports"][0]["protocol"], web["sessionAffinity"]) == ("UDP", "ClientIP")
    kube("expose svc web --name=again --port=81")
    assert kube.json("get svc again")["spec"]["selector"] == {"app": "web"}
    assert '"kind": "Pod"' in kube("run dry --image=x --dry-run=server -o json")
    kube("delete pod one --now")


@pytest.mark.kubectl_since(27)
def test_a_token_opens_the_server(newest: Kubectl) -> None:
    """``create token`` gives a token with which another client is the account."""
    newest("create serviceaccount robot")
    token = newest("create token robot --duration=1h").strip()
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == f"system:serviceaccount:{newest.namespace}:robot"
    assert claims["exp"] - claims["iat"] == 3600
    server = newest("config view --minify -o", "jsonpath={.clusters[0].cluster.server}")
    done = subprocess.run(
        [
            newest.program,
            "--kubeconfig=/dev/null",
            f"--server={server}",
            f"--token={token}",
            "--insecure-skip-tls-verify",
            *["auth", "whoami", "-o", "json"],
        ],
        env=newest.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    user = json.loads(done.stdout)["status"]["userInfo"]
    assert user["username"] == f"system:serviceaccount:{newest.namespace}:robot"
