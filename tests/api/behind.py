"""A server behind the API: answers what it was asked, over HTTP or HTTPS, on a thread."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from orchestrator.api import ensure_certificates

Answer = tuple[int, dict[str, str], bytes]


class BehindServer:
    """Answers with `answers` by path, and otherwise with a description of the request."""

    def __init__(self, directory: Path | None = None, *names: str, client_ca: str = "") -> None:
        """Listen; with TLS, for these names, where a directory for certificates is given.

        With ``client_ca``, only for clients with a certificate of that authority.
        """
        self.answers: dict[str, Callable[[], Answer]] = {}
        self.seen: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                request = {
                    "method": self.command,
                    "path": self.path,
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "raw": [[name.lower(), value] for name, value in self.headers.items()],
                    "body": self.rfile.read(length).decode(),
                }
                outer.seen.append(request)
                path = self.path.partition("?")[0]
                made = outer.answers.get(path)
                status, headers, body = (
                    made() if made else (200, {"x-behind": "yes"}, json.dumps(request).encode())
                )
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Clients that turn away are part of the tests."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.bundle = ""
        if directory is not None:
            made = ensure_certificates(directory, time.time(), ["127.0.0.1", *names])
            self.bundle = base64.b64encode(made.ca_file.read_bytes()).decode()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(made.certificate_file, made.key_file)
            if client_ca:
                context.load_verify_locations(cadata=client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port: int = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def says(self, path: str, document: Any) -> None:
        """Answer a path with JSON."""
        body = json.dumps(document).encode()
        self.answers[path] = lambda: (200, {"content-type": "application/json"}, body)

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
