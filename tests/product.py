"""The whole product as a user starts it, on a folder and ports of its own."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 90


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Product:
    """`python -m freellm_site.start` in a process of its own."""

    def __init__(self, var: Path, **environment: str) -> None:
        self.var = var
        self.port = free_port()
        self.simulator_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output: list[str] = []
        self.environment = environment
        self.process: subprocess.Popen[str] | None = None
        self.state: Any = None
        self._ready = threading.Event()

    def spawn(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "freellm_site.start"],
            cwd=ROOT,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()
        return self.process

    def start(self) -> None:
        self.spawn()
        self.wait_for_line("Ctrl-C stops it")
        self.state = self._sign_in()

    def wait_for_line(self, text: str, limit_s: float = START_LIMIT_S) -> str:
        """The first line of output that holds `text`; raises AssertionError after `limit_s`."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            for line in self.output:
                if text in line:
                    return line
            assert self.process is not None
            if self.process.poll() is not None:
                break
            self._ready.wait(0.1)
            self._ready.clear()
        raise AssertionError(f"no line with {text!r} in:\n" + "".join(self.output))

    def stop(self) -> int:
        """Ask it to end, as a service manager would; its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)

    def log(self, program: str) -> str:
        return (self.var / "log" / f"{program}.log").read_text(errors="replace")

    def manage(self, *arguments: str) -> str:
        """Run a management command on this product's state; what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def _environment(self) -> dict[str, str]:
        """What the tests set for themselves is not the product's."""
        own = {"SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "REDIS_URL", "DATABASE_URL"}
        inherited = {name: value for name, value in os.environ.items() if name not in own}
        ports = {"PORT": str(self.port), "SIMULATOR_PORT": str(self.simulator_port)}
        return {**inherited, "VAR_DIR": str(self.var), **ports, **self.environment}

    def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.output.append(line)
                self._ready.set()

    def _sign_in(self) -> Any:
        """Follow the printed one-time link; the cookies, in Playwright's form."""
        link = re.search(r"https?://\S+", self.wait_for_line("First sign-in"))
        assert link is not None
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        page = opener.open(link.group(), timeout=20).read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": token.group(1)}).encode()
        opener.open(link.group(), body, timeout=20).read()
        return {
            "cookies": [
                {
                    "name": cookie.name,
                    "value": cookie.value,
                    "domain": "127.0.0.1",
                    "path": "/",
                    "expires": -1,
                    "httpOnly": False,
                    "secure": False,
                    "sameSite": "Lax",
                }
                for cookie in jar
            ],
            "origins": [],
        }
