"""What the demo applies: a web Deployment of real processes behind a Service.

The same manifests, written out by `as_yaml`, are the example in the README.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

WEB_SERVER: Final = """\
import http.server, os, signal, threading

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = f"{os.environ['HOSTNAME']} {os.environ.get('COLOR', 'blue')}\\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

server = http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Page)
server.daemon_threads = False
signal.signal(signal.SIGTERM, lambda *_: threading.Timer(0.5, server.shutdown).start())
print("listening on", os.environ["POD_IP"], flush=True)
server.serve_forever()
server.server_close()
"""
"""A web server that says which pod answered and in what colour.

After SIGTERM it serves half a second longer: connections that were sent its way before its endpoint
was taken out still get their answer.
"""


def web_deployment(
    *, python: str = "python3", replicas: int = 5, toleration_seconds: int | None = None
) -> dict[str, Any]:
    """Return the Deployment ``web``.

    Args:
        python: Interpreter that runs the web server.
        replicas: Desired pods.
        toleration_seconds: How long pods stay bound to a node that went away; None leaves
            upstream's default of 300 s.
    """
    pod_spec: dict[str, Any] = {
        "terminationGracePeriodSeconds": 5,
        "containers": [
            {
                "name": "web",
                "image": "web",
                "command": [python, "-c", WEB_SERVER],
                "ports": [{"name": "http", "containerPort": 8080}],
                "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}},
            }
        ],
    }
    if toleration_seconds is not None:
        pod_spec["tolerations"] = [
            {
                "key": f"node.kubernetes.io/{condition}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": toleration_seconds,
            }
            for condition in ("not-ready", "unreachable")
        ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "replicas": replicas,
            # A server takes a moment until it listens, and times of conditions are whole seconds.
            "minReadySeconds": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod_spec},
        },
    }


def web_service() -> dict[str, Any]:
    """Return the Service ``web`` with a cluster IP."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 8080, "targetPort": "http"}]},
    }


def web_node_port(port: int = 30080) -> dict[str, Any]:
    """Return the Service ``web-public``, reachable on every node address at ``port``."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web-public"},
        "spec": {
            "type": "NodePort",
            "selector": {"app": "web"},
            "ports": [{"port": 8080, "targetPort": "http", "nodePort": port}],
        },
    }


def as_yaml() -> str:
    """Return the three manifests as one YAML stream, for ``kubectl apply -f -``."""

    class Dumper(yaml.SafeDumper):
        """Writes multi-line strings as blocks, so that the program stays readable."""

    def block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, block)
    return str(
        yaml.dump_all(
            [web_deployment(), web_service(), web_node_port()],
            Dumper=Dumper,
            sort_keys=False,
        )
    )
