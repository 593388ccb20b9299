"""A loopback provider that judges keys: what it answers to a list and to a chat is set."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD_KEY = "gsk_made_up_for_tests_f2Qa"
ANSWER = {
    "id": "x",
    "model": "wren-8b",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13},
}


class KeyServer:
    """Knows `GOOD_KEY`. `chat` and `models` override the answer to whoever has it."""

    def __init__(self) -> None:
        self.chat: tuple[int, Any] = (200, ANSWER)
        self.models: tuple[int, Any] = (200, {"data": [{"id": "wren-8b"}, {"id": "heron-70b"}]})
        self.asked: list[tuple[str, str]] = []  # path and Authorization
        self.hangs = False
        self.release = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def stop(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(server.models)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._answer(server.chat)

            def _answer(self, answer: tuple[int, Any]) -> None:
                sent = self.headers.get("Authorization", "")
                server.asked.append((self.path, sent))
                if server.hangs:
                    server.release.wait(timeout=30)
                if sent not in ("", f"Bearer {GOOD_KEY}"):
                    answer = (401, {"error": {"message": f"Invalid key {sent}", "code": "bad"}})
                status, body = answer
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                """Tests are quiet."""

        return Handler
