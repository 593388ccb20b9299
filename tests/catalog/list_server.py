"""A loopback server whose answers a test sets path by path."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, bytes]


class ListServer:
    """Serves `answers`; remembers each request's path and headers."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.times: list[float] = []  # time.monotonic() of each request
        self.sent_bytes = 0  # of endless answers
        self._failing: dict[str, int] = {}  # path -> status of its first answer
        self._endless: dict[str, int] = {}  # path -> megabytes
        self.release = threading.Event()  # answers to paths that end in /slow wait for it
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def lists(self, path: str, *ids: str, **fields: Any) -> str:
        """Serve an OpenAI-style list of `ids` at `path`; answer its address."""
        return self.answers_json(path, {"data": [{"id": one, **fields} for one in ids]})

    def answers_json(self, path: str, payload: Any) -> str:
        return self.answers_bytes(path, json.dumps(payload).encode())

    def answers_bytes(self, path: str, body: bytes, status: int = 200) -> str:
        self.answers[path] = (status, body)
        return self.url + path

    def fails_first(self, path: str, status: int) -> None:
        """Answer the first request to `path` with this status."""
        self._failing[path] = status

    def answers_endlessly(self, path: str, megabytes: int) -> str:
        """Serve the beginning of a list that goes on for so long; answer its address."""
        self._endless[path] = megabytes
        return self.url + path

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.requests.append((self.path, headers))
                server.times.append(time.monotonic())
                if self.path.endswith("/slow"):
                    server.release.wait(timeout=30)
                if self.path in server._endless:
                    self.stream(server._endless[self.path])
                    return
                status, body = server.answers.get(self.path, (404, b'{"error":"no such list"}'))
                status = server._failing.pop(self.path, status)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def stream(self, megabytes: int) -> None:
                """Without a length, until the client has had enough."""
                self.send_response(200)
                self.end_headers()
                with suppress(ConnectionError):
                    for _ in range(megabytes):
                        self.wfile.write(b" " * 1_000_000)
                        server.sent_bytes += 1_000_000

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        return Handler
