"""A real operator, written with kopf and run by its own command, against the running server."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.api.certificates import ensure_certificates
from tests.clients.kubectl import Kubectl
from tests.clients.manifests import custom
from tests.e2e.daemon import Daemon

pytestmark = pytest.mark.e2e

OPERATOR = Path(__file__).with_name("shop_operator.py")
DEADLINE = 40
FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(group: str, plural: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Return a namespaced kind whose status is free."""
    schema: dict[str, Any] = {"type": "object", "properties": {"spec": spec, "status": FREE}}
    if group == "kopf.dev":  # a peering keeps its members in the status, without a subresource
        schema["x-kubernetes-preserve-unknown-fields"] = True
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    **({} if group == "kopf.dev" else {"subresources": {"status": {}}}),
                }
            ],
        },
    }


class Operator:
    """Runs of the operator: one process after another, or two side by side."""

    def __init__(self, daemon: Daemon, namespace: str, directory: Path) -> None:
        self.daemon = daemon
        self.namespace = namespace
        self.directory = directory
        self.keys = directory / "keys"
        ensure_certificates(self.keys, time.time())
        self.log = directory / "operator.log"

    @contextlib.contextmanager
    def running(self, name: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run it as its users do; it has to end cleanly when it is asked to."""
        command = [sys.executable, "-m", "kopf", "run", str(OPERATOR), "--verbose"]
        command += [f"--namespace={self.namespace}", *options]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "KUBECONFIG": str(self.daemon.kubeconfig),
            "OPERATOR_RUN": name,
            "OPERATOR_KEYS": str(self.keys),
        }
        with (
            self.log.open("ab") as log,
            subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
        ):
            try:
                yield process
                assert process.poll() is None, self.log.read_text()[-3000:]
            finally:
                process.terminate()
                code = process.wait(timeout=20)
        assert code == 0, self.log.read_text()[-3000:]


@pytest.fixture
def operator(daemon: Daemon, newest: Kubectl, tmp_path: Path) -> Operator:
    """An operator for the test's namespace, whose kind is defined."""
    spec = {
        "type": "object",
        "required": ["owner"],
        "properties": {"owner": {"type": "string"}, "city": {"type": "string"}},
    }
    kinds = [
        definition("example.com", "shops", "Shop", spec),
        definition("kopf.dev", "kopfpeerings", "KopfPeering", FREE),
    ]
    newest.apply(*kinds)
    newest("wait --for=condition=Established crd shops.example.com kopfpeerings.kopf.dev")
    return Operator(daemon, newest.namespace, tmp_path)


def until(look: Callable[[], Any], operator: Operator) -> Any:
    """Look until there is something to see."""
    end = time.monotonic() + DEADLINE
    while not (found := look()):
        assert time.monotonic() < end, operator.log.read_text()[-4000:]
    return found


def shop(kubectl: Kubectl, name: str) -> dict[str, Any]:
    """Return a Shop."""
    found: dict[str, Any] = kubectl.json(f"get shop {name}")
    return found


def test_an_operator_over_the_life_of_its_objects(newest: Kubectl, operator: Operator) -> None:
    """Created with a retry, ticked, served, sold, indexed, let go of only after its cleanup."""
    with operator.running("first", "--standalone"):
        until(lambda: "webhook" in newest("get mutatingwebhookconfigurations -o yaml"), operator)
        warned = newest.apply(custom("Shop", "corner", owner="ann"))
        assert "Warning: shops are watched" in warned
        newest("label shop corner timed=yes")
        status = until(
            lambda: (s := shop(newest, "corner").get("status", {})).get("stumble") and s, operator
        )
        assert status["stumble"] == 1
        assert status["phase"] == "Open"
        made = shop(newest, "corner")
        assert made["spec"]["city"] == "Nowhere"  # by the mutating webhook
        assert made["metadata"]["finalizers"] == ["example.com/finalizer"]
        child = newest.json("get cm corner")
        assert child["data"] == {"owner": "ann"}
        assert child["metadata"]["uid"] == status["open_shop"]["uid"]
        assert child["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
        until(lambda: shop(newest, "corner")["status"].get("ticks", 0) >= 3, operator)
        assert newest("get cm corner-serving -o name") == "configmap/corner-serving\n"

        refused = newest.refused(
            "create -f -", stdin=json.dumps(custom("Shop", "sunk", owner="ann", city="Atlantis"))
        )
        assert "Atlantis has sunk" in refused
        assert "denied the request" in refused

        newest("patch shop corner --type=merge -p", '{"spec":{"owner":"bob"}}')
        until(lambda: shop(newest, "corner")["status"].get("former") == "ann", operator)
        assert newest.json("get cm corner")["data"] == {"owner": "bob"}
        until(lambda: "ann sold to bob" in newest("get events"), operator)

        newest("create cm counter --from-literal=owner=bob")
        newest("label cm counter watch=shops")
        until(lambda: newest.json("get cm counter")["data"].get("count") == "1", operator)

        newest("delete shop corner --timeout=20s")
        assert newest("get cm corner-closed -o name") == "configmap/corner-closed\n"
        newest("wait --for=delete cm/corner-serving --timeout=20s")
        newest("wait --for=delete cm/corner --timeout=20s")  # collected with its owner


def test_an_operator_that_comes_back(newest: Kubectl, operator: Operator) -> None:
    """What changed while it was away is handled at its start; deletions waited for it."""
    with operator.running("first", "--standalone"):
        until(lambda: "webhook" in newest("get mutatingwebhookconfigurations -o yaml"), operator)
        newest.apply(custom("Shop", "a", owner="ann"), custom("Shop", "b", owner="ann"))
        until(lambda: "stumble" in shop(newest, "a").get("status", {}), operator)
        until(lambda: "stumble" in shop(newest, "b").get("status", {}), operator)
    newest("delete validatingwebhookconfigurations,mutatingwebhookconfigurations --all")
    newest("patch shop a --type=merge -p", '{"spec":{"owner":"carl"}}')
    newest("delete shop b --wait=false")
    assert "deletionTimestamp" in shop(newest, "b")["metadata"]
    with operator.running("second", "--standalone"):
        until(lambda: shop(newest, "a")["status"].get("resumed") == "second", operator)
        until(lambda: shop(newest, "a")["status"].get("former") == "ann", operator)
        newest("wait --for=delete shop/b --timeout=20s")
        newest("delete shop a --timeout=20s")


def test_two_operators_know_of_each_other(newest: Kubectl, operator: Operator) -> None:
    """By a peering: the one of lower priority rests while the other works."""
    peering = {"apiVersion": "kopf.dev/v1", "kind": "KopfPeering", "metadata": {"name": "team"}}
    newest.apply(peering)
    options = ("--peering=team",)
    with operator.running("low", *options, "--priority=1"):
        until(lambda: len(newest.json("get kopfpeering team").get("status", {})) == 1, operator)
        with operator.running("high", *options, "--priority=100"):
            until(lambda: len(newest.json("get kopfpeering team")["status"]) == 2, operator)
            until(lambda: "Pausing operations in favour of" in operator.log.read_text(), operator)
        until(lambda: "Resuming operations after the pause" in operator.log.read_text(), operator)
    assert newest.json("get kopfpeering team").get("status", {}) in ({}, None)
