"""Pods on a node of real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.node import LogOptions, NodeLogs
from orchestrator.node.process.supervisor import processes as known_processes


async def output(cluster: Any, name: str, container: str = "c", **options: Any) -> str:
    """Read a pod's log."""
    reader = NodeLogs(cluster.manager._runtimes["process"], cluster.system.clock)
    stream = await reader.open(cluster.pod(name), container, LogOptions(**options))
    return b"".join([chunk async for chunk in stream]).decode()


async def test_a_pod_runs_with_its_address_and_its_environment_only(
    processes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HOSTNAME, POD_IP, PATH, its own variables, and the supervisor's mark."""
    container = {"env": [{"name": "WHERE", "value": "http://$(POD_IP)"}], "workingDir": "/tmp"}
    await processes.run("web", "env", container=container, restartPolicy="Never")
    await processes.until(lambda: processes.state("web")[0] == "terminated")
    lines = dict(line.split("=", 1) for line in (await output(processes, "web")).splitlines())
    address = processes.pod("web")["status"]["podIP"]
    assert address == "127.251.1.2"
    assert lines == {
        "HOSTNAME": "web",
        "POD_IP": address,
        "PATH": os.environ["PATH"],
        "WHERE": f"http://{address}",
        "ORCHESTRATOR_CONTAINER": lines["ORCHESTRATOR_CONTAINER"],
        "ORCHESTRATOR_TERMINATION_LOG": lines["ORCHESTRATOR_TERMINATION_LOG"],
    }
    assert processes.pod("web")["status"]["phase"] == "Succeeded"


async def test_a_missing_config_map_is_waited_for(processes: Any) -> None:
    """With the kubelet's reason; the pod starts as soon as it is there."""
    source = {"configMapKeyRef": {"name": "settings", "key": "color"}}
    container = {"env": [{"name": "COLOR", "valueFrom": source}]}
    await processes.run("web", "sh", "-c", "echo $COLOR; sleep 300", container=container)
    await processes.until(lambda: processes.state("web")[0] == "waiting")
    assert processes.state("web")[1] == {
        "reason": "CreateContainerConfigError",
        "message": 'configmap "settings" not found',
    }
    assert processes.events.messages("web", "Failed") == ['Error: configmap "settings" not found']
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "default"},
        "data": {"color": "green"},
    }
    await processes.store.create(settings, resource="configmaps", namespace="default")
    await processes.until_running("web")
    assert processes.status("web")["restartCount"] == 0


async def test_a_container_without_a_command_says_that_there_is_no_image(processes: Any) -> None:
    """In the status and in an event."""
    await processes.run("web")
    await processes.until(lambda: processes.state("web")[0] == "waiting")
    waiting = processes.state("web")[1]
    assert waiting["reason"] == "NoCommand"
    assert "no image entrypoint to fall back on" in waiting["message"]
    assert "spec.containers[0].command" in processes.events.messages("web", "Failed")[0]


async def test_arguments_that_begin_with_a_program_are_a_command(processes: Any) -> None:
    """As for images without an entrypoint, which many published examples use; options are none."""
    shell = {"args": ["/bin/sh", "-c", "exit 3"]}
    await processes.run("shell", restartPolicy="Never", container=shell)
    await processes.run("options", restartPolicy="Never", container={"args": ["--port=80"]})
    await processes.until(lambda: processes.state("shell")[0] == "terminated")
    assert processes.state("shell")[1]["exitCode"] == 3
    await processes.until(lambda: processes.state("options")[0] == "waiting")
    assert processes.state("options")[1]["reason"] == "NoCommand"


async def test_a_command_that_is_not_found_is_a_start_error(processes: Any) -> None:
    """Exit code 128, as containerd has it."""
    await processes.run("web", "nope", restartPolicy="Never")
    await processes.until(lambda: processes.state("web")[0] == "terminated")
    ended = processes.state("web")[1]
    assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
    assert ended["message"] == 'exec: "nope": executable file not found in $PATH'


async def test_a_volume_of_another_type_keeps_the_pod_waiting_and_is_named(processes: Any) -> None:
    """Nothing is started half."""
    await processes.run("web", "true", volumes=[{"name": "v", "nfs": {"server": "s", "path": "/"}}])
    await processes.until(lambda: processes.state("web")[0] == "waiting")
    assert processes.state("web")[1]["reason"] == "UnsupportedField"
    assert processes.pod("web")["status"]["phase"] == "Pending"
    (text,) = processes.events.messages("web", "UnsupportedField")
    assert text.startswith("spec.volumes[0]: ")


async def test_limits_are_noted_as_not_enforced(processes: Any) -> None:
    """The pod runs all the same."""
    container = {"resources": {"limits": {"memory": "64Mi"}}}
    await processes.run("web", "sleep", "300", container=container)
    await processes.until_running("web")
    (text,) = processes.events.messages("web", "LimitsNotEnforced")
    assert text.startswith("spec.containers[0].resources.limits: ")


async def test_a_crashed_container_is_restarted_and_its_log_kept(processes: Any) -> None:
    """The previous attempt's log can be read."""
    await processes.run("web", "sh", "-c", "echo attempt; exit 1")
    await processes.until(
        lambda: (
            processes.status("web").get("restartCount") == 1
            and processes.state("web")[1].get("reason") == "CrashLoopBackOff"
        )
    )
    assert await output(processes, "web", previous=True) == "attempt\n"
    assert await output(processes, "web") == "attempt\n"


async def test_a_signal_ends_a_container_with_its_number(processes: Any) -> None:
    """128 + n; a kubelet tells no ``signal``, since no runtime tells it of one."""
    await processes.run("web", "sh", "-c", "kill -USR1 $$$$", restartPolicy="Never")
    await processes.until(lambda: processes.state("web")[0] == "terminated")
    ended = processes.state("web")[1]
    assert ended["exitCode"] == 128 + signal.SIGUSR1
    assert "signal" not in ended


async def test_no_process_outlives_its_pod(processes: Any) -> None:
    """Deletion ends the main process and what it started."""
    script = "(setsid sleep 300 &); sleep 300 & echo up; wait"
    await processes.run("web", "sh", "-c", script, terminationGracePeriodSeconds=1)
    await processes.until_running("web")
    identity = processes.status("web")["containerID"].rpartition("/")[2]
    assert known_processes.marked(identity)
    await processes.store.delete("pods", "default", "web")
    await processes.until_gone("web")
    assert known_processes.marked(identity) == []


async def test_a_lost_supervisor_is_replaced_and_its_containers_restarted(processes: Any) -> None:
    """They are reported lost, not as if they had ended by themselves."""
    await processes.run("web", "sleep", "300")
    await processes.until_running("web")
    runtime = processes.manager._runtimes["process"]
    os.kill(runtime.supervisor_pid, signal.SIGKILL)
    await processes.until(
        lambda: (
            processes.status("web")["restartCount"] == 1 and processes.state("web")[0] == "running"
        )
    )
    last = processes.status("web")["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"]) == ("ContainerStatusUnknown", 137)


async def test_a_killed_nodes_processes_are_gone(processes: Any) -> None:
    """As if the machine had lost power; its pods stay in the store."""
    await processes.run("web", "sleep", "300")
    await processes.until_running("web")
    identity = processes.status("web")["containerID"].rpartition("/")[2]
    await processes.manager.kill("node-1")
    assert processes.state("web")[0] == "running"
    runtime = processes.manager._runtimes["process"]
    uid = processes.pod("web")["metadata"]["uid"]
    while runtime.known(uid)[0].exited is None:
        await processes.system.clock.sleep(0.01)
    assert known_processes.marked(identity) == []


async def test_a_process_node_renews_a_lease(processes: Any) -> None:
    """Forty seconds long, owned by its Node."""
    await processes.until(
        lambda: processes.store.get("leases.coordination.k8s.io", "kube-node-lease", "node-1")
    )
    lease = processes.store.get("leases.coordination.k8s.io", "kube-node-lease", "node-1")
    assert lease["spec"]["leaseDurationSeconds"] == 40
    assert lease["spec"]["holderIdentity"] == "node-1"
    assert lease["metadata"]["ownerReferences"][0]["kind"] == "Node"
    assert processes.manager.heartbeat("node-1") is None


async def test_the_last_words_of_a_failed_container_are_its_message(processes: Any) -> None:
    """With FallbackToLogsOnError: 80 lines, 2048 bytes, and only of one that failed."""
    container = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    script = "for i in $(seq 100); do echo line $i; done; echo boom >&2; exit "
    for name, code in (("bad", "3"), ("good", "0")):
        await processes.run(
            name, "sh", "-c", script + code, container=container, restartPolicy="Never"
        )
        await processes.until(lambda name=name: processes.state(name)[0] == "terminated")
    lines = processes.state("bad")[1]["message"].splitlines()
    assert len(lines) == 80
    assert min(lines, key=len) == "boom"
    assert "message" not in processes.state("good")[1]
    await processes.run(
        "long",
        "sh",
        "-c",
        "printf %05000d 7; exit 1",
        container=container,
        restartPolicy="Never",
    )
    await processes.until(lambda: processes.state("long")[0] == "terminated")
    message = processes.state("long")[1]["message"]
    assert (len(message), message[-1]) == (2048, "7")


async def test_init_containers_run_before_and_sidecars_beside_a_pods_processes(
    processes: Any, tmp_path: Path
) -> None:
    """In order; the sidecar is restarted when it ends, and ended last."""
    told = tmp_path / "told"

    def say(name: str, then: str = "", before: str = "", **more: Any) -> dict[str, Any]:
        script = f"{before}echo {name} | tee -a {told}; {then}"
        return {"name": name, "image": "i", "command": ["sh", "-c", script], **more}

    last = f"trap 'echo over >> {told}; exit 0' TERM; echo armed >> {told}"
    last += "; while :; do sleep 0.05; done"
    mains = [say("main", f"until grep -q armed {told}; do sleep 0.05; done; echo end")]
    once = f"[ $(grep -c side {told}) -lt 2 ] || {{ {last}; }}; exit 3"
    inits = [
        say("first", "sleep 0.2"),
        say("side", once, restartPolicy="Always"),
        say("second", before="sleep 0.3; "),  # "side" was started before, no more
    ]
    await processes.run("job", containers=mains, initContainers=inits, restartPolicy="Never")
    await processes.until(lambda: processes.pod("job")["status"]["phase"] == "Succeeded")
    lines = told.read_text().split()
    assert lines[:2] == ["first", "side"]
    assert sorted(lines[2:6]) == ["armed", "main", "second", "side"]
    assert lines.index("second") < lines.index("main")
    assert lines[6:] == ["over"]
    assert await output(processes, "job", "first") == "first\n"
    statuses = {
        item["name"]: item for item in processes.pod("job")["status"]["initContainerStatuses"]
    }
    assert {name: item["restartCount"] for name, item in statuses.items()} == {
        "first": 0,
        "side": 1,
        "second": 0,
    }
    assert statuses["side"]["lastState"]["terminated"]["exitCode"] == 3


async def test_a_container_leaves_a_message_when_it_ends(processes: Any, tmp_path: Path) -> None:
    """Whether it failed or not; 4096 bytes at most, and its file goes with it.

    https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
    """
    script = "printf %05000d 7 > $ORCHESTRATOR_TERMINATION_LOG; exit "
    container = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    for name, code in (("bad", "3"), ("good", "0")):
        await processes.run(
            name, "sh", "-c", script + code, container=container, restartPolicy="Never"
        )
        await processes.until(lambda name=name: processes.state(name)[0] == "terminated")
        assert processes.state(name)[1]["message"] == "0" * 4096
    messages = tmp_path / "process" / "messages"
    assert len(list(messages.iterdir())) == 2
    await processes.store.delete("pods", "default", "bad")
    await processes.until_gone("bad")
    await processes.store.delete("pods", "default", "good")
    await processes.until_gone("good")
    async with asyncio.timeout(5):
        while list(messages.iterdir()):
            await processes.system.clock.sleep(0.01)


async def until_told(cluster: Any, name: str, reason: str) -> None:
    """Wait for an Event; it changes nothing in the store."""
    async with asyncio.timeout(20):
        while not cluster.events.messages(name, reason):
            await cluster.system.clock.sleep(0.01)


SERVER = """
import os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
where = sys.argv[1]
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/hook":
            open(where + "/hooked", "w").close()
        self.send_response(200 if os.path.exists(where + self.path) else 503)
        self.end_headers()
    def log_message(self, *_):
        pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0 if os.path.exists(where + "/hooked") else 9))
HTTPServer((os.environ["POD_IP"], 8080), Handler).serve_forever()
"""


async def test_a_process_is_probed_and_its_hooks_are_called(processes: Any, tmp_path: Path) -> None:
    """On the pod's own address: it gets ready, unready, is restarted, and hooked before its end."""
    ready, alive = tmp_path / "ready", tmp_path / "alive"
    alive.touch()
    often = {"periodSeconds": 1, "failureThreshold": 1}
    container = {
        "ports": [{"name": "web", "containerPort": 8080}],
        "startupProbe": {"tcpSocket": {"port": "web"}, "periodSeconds": 1, "failureThreshold": 30},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "web"}, **often},
        "livenessProbe": {"httpGet": {"path": "/alive", "port": 8080}, **often},
        "lifecycle": {"preStop": {"httpGet": {"path": "/hook", "port": "web"}}},
    }
    command = (sys.executable, "-c", SERVER, str(tmp_path))
    await processes.run("web", *command, container=container)
    await processes.until(lambda: processes.status("web").get("started"))
    await until_told(processes, "web", "Unhealthy")
    assert processes.status("web")["ready"] is False
    ready.touch()
    await processes.until(lambda: processes.status("web")["ready"])
    ready.unlink()
    await processes.until(lambda: not processes.status("web")["ready"])
    unready = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    assert unready in processes.events.messages("web", "Unhealthy")
    alive.unlink()
    await processes.until(lambda: processes.status("web")["restartCount"] == 1)
    ended = processes.status("web")["lastState"]["terminated"]
    assert ended["exitCode"] == 0  # it was hooked before SIGTERM
    text = "Container c failed liveness probe, will be restarted"
    assert processes.events.messages("web", "Killing") == [text]


async def test_commands_probe_and_hook_a_process(processes: Any, tmp_path: Path) -> None:
    """In the container's environment; one that takes too long is killed and has failed."""

    def sh(script: str) -> dict[str, Any]:
        return {"exec": {"command": ["sh", "-c", script]}}

    often = {"periodSeconds": 1, "failureThreshold": 1}
    container = {
        "env": [{"name": "WHERE", "value": str(tmp_path)}],
        "startupProbe": {**sh("test -e $WHERE/begun"), "periodSeconds": 1, "failureThreshold": 9},
        "readinessProbe": {**sh("cat $WHERE/ready || { echo no >&2; exit 1; }"), **often},
        "livenessProbe": {**sh("test ! -e $WHERE/slow || sleep 300"), **often},
        "lifecycle": {
            "postStart": sh("echo $POD_IP > $WHERE/begun"),
            "preStop": sh("echo over >> $WHERE/over"),
        },
    }
    await processes.run("web", "sleep", "300", container=container)
    await until_told(processes, "web", "Unhealthy")
    assert (tmp_path / "begun").read_text() == f"{processes.pod('web')['status']['podIP']}\n"
    (text,) = {*processes.events.messages("web", "Unhealthy")}
    assert text.startswith("Readiness probe failed: ")
    assert text.endswith("no\n")
    (tmp_path / "ready").touch()
    await processes.until(lambda: processes.status("web")["ready"])
    (tmp_path / "slow").touch()
    await processes.until(lambda: processes.status("web")["restartCount"] == 1)
    command = "sh -c test ! -e $WHERE/slow || sleep 300"
    slow = f'Liveness probe failed: command timed out: "{command}" timed out after 1s'
    assert slow in processes.events.messages("web", "Unhealthy")
    assert (tmp_path / "over").read_text() == "over\n"


async def test_an_ephemeral_container_is_a_process_or_says_why_not(
    processes: Any, tmp_path: Path
) -> None:
    """Its pod runs on either way."""
    await processes.run("web", "sleep", "300")
    await processes.until_running("web")
    command = ["sh", "-c", f"echo $POD_IP > {tmp_path}/seen; exit 4"]
    looks = {"name": "looks", "image": "busybox", "command": command}
    privileged = {"name": "no", "image": "busybox", "securityContext": {"privileged": True}}

    def debug(pod: Any) -> Any:
        return {**pod, "spec": {**pod["spec"], "ephemeralContainers": [looks, privileged]}}

    await processes.store.modify("pods", "default", "web", debug, subresource="ephemeralcontainers")

    def ended() -> Any:
        found = processes.pod("web")["status"].get("ephemeralContainerStatuses") or ()
        states = [item["state"].get("terminated") for item in found]
        return states if states and all(states) else None

    first, second = await processes.until(ended)
    assert first["exitCode"] == 4
    assert (tmp_path / "seen").read_text().strip() == processes.pod("web")["status"]["podIP"]
    text = "spec.ephemeralContainers[1].securityContext.privileged: is not supported by this node"
    assert (second["exitCode"], second["reason"], second["message"]) == (
        128,
        "UnsupportedField",
        text,
    )
    assert processes.events.messages("web", "UnsupportedField") == [text]
    assert processes.state("web")[0] == "running"
