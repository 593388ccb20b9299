"""Runs the programs in the foreground under supervisor (supervisord.org), in this process.

Supervisor starts, restarts and stops; what is ours is what it says to the terminal, and the
rule that a program which keeps dying stops everything.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shlex
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

from django.conf import settings
from supervisor import events
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions
from supervisor.poller import Poller
from supervisor.states import SupervisorStates
from supervisor.supervisord import Supervisor

from freellm_site.lib.environment import BASE_DIR
from freellm_site.start.programs import Program, log_path, programs

DEATHS_ALLOWED = 5
DEATHS_WINDOW_S = 60
LAST_LINES = 15
START_LIMIT_S = 60
LOOK_AGAIN_S = 0.1

# prctl(2), Linux only; loaded before the fork, since a child may hardly do anything.
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def supervise(*, is_demo: bool, sign_in_link: str) -> int:
    """Run until stopped; returns the exit status: 0 when asked to stop, 1 after a failure."""
    chosen = programs(is_demo=is_demo)
    conf = settings.VAR_DIR / "supervisor.conf"
    conf.write_text(_configuration(chosen))
    options = Options()
    options.realize(["--nodaemon", "--silent", "--configuration", str(conf)], doc=__doc__)
    options.first, options.test = True, False  # as supervisord's own main sets them
    say(f"Starting {', '.join(program.name for program in chosen)} ...")
    foreground = Foreground(options)
    threading.Thread(target=_announce, args=[sign_in_link], daemon=True).start()
    with contextlib.suppress(asyncore.ExitNow):  # how supervisor says that all has stopped
        foreground.main()
    say("Stopped.")
    return foreground.exit_status


def say(line: str) -> None:
    """For the terminal; one that was closed is no reason to stop."""
    with contextlib.suppress(OSError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class QuickPoller(Poller):  # type: ignore[misc]  # supervisor ships no types
    """Supervisor starts and buries programs only once a second, which a start and a stop feel."""

    def poll(self, timeout: float) -> Any:
        return super().poll(min(timeout, LOOK_AGAIN_S))


class Options(ServerOptions):  # type: ignore[misc]  # supervisor ships no types
    """Lets no child outlive this process, even when it is killed without a goodbye."""

    def __init__(self) -> None:
        super().__init__()
        self.poller = QuickPoller(self)

    def execve(self, filename: str, argv: list[str], env: dict[str, str]) -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        super().execve(filename, argv, env)


class Foreground(Supervisor):  # type: ignore[misc]  # supervisor ships no types
    """Tells the terminal of deaths, and gives up on a program that keeps dying."""

    exit_status = 0

    def runforever(self) -> None:
        self.deaths: defaultdict[str, deque[float]] = defaultdict(deque)
        events.subscribe(events.ProcessStateExitedEvent, self._on_death)
        events.subscribe(events.ProcessStateBackoffEvent, self._on_death)
        events.subscribe(events.ProcessStateFatalEvent, self._on_fatal)
        events.subscribe(events.SupervisorStoppingEvent, lambda _: say("Stopping ..."))
        super().runforever()

    def _on_death(self, event: Any) -> None:
        name = event.process.config.name
        if self.options.mood != SupervisorStates.RUNNING:
            return
        deaths = self.deaths[name]
        deaths.append(time.monotonic())
        while deaths[0] < deaths[-1] - DEATHS_WINDOW_S:
            deaths.popleft()
        if len(deaths) >= DEATHS_ALLOWED:
            self._on_fatal(event)
        else:
            say(f"{name} ended; starting it again (its log: {log_path(name)}).")

    def _on_fatal(self, event: Any) -> None:
        if self.options.mood != SupervisorStates.RUNNING:
            return
        name = event.process.config.name
        say(f"{name} keeps ending, so everything stops. Its last lines:")
        say(_last_lines(log_path(name)))
        self.exit_status = 1
        self.options.mood = SupervisorStates.SHUTDOWN


def _last_lines(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    return "\n".join(f"  | {line}" for line in lines[-LAST_LINES:] or ["(it wrote nothing)"])


def _configuration(chosen: list[Program]) -> str:
    var = settings.VAR_DIR
    sections = [
        {
            "": "supervisord",
            "logfile": f"{var}/log/supervisor.log",
            "logfile_maxbytes": "1MB",
            "logfile_backups": "1",
            "pidfile": f"{var}/supervisor.pid",
            "childlogdir": f"{var}/log",
            "directory": str(BASE_DIR),
            # Named even when it is root, which supervisor warns about otherwise.
            **({"user": "root"} if os.getuid() == 0 else {}),
        }
    ]
    groups: dict[str, list[str]] = defaultdict(list)
    for program in chosen:
        groups[program.group].append(program.name)
        sections.append(_program_section(program))
    for number, group in enumerate(sorted(groups, reverse=True)):
        names = ",".join(groups[group])
        sections.append({"": f"group:{group}", "programs": names, "priority": str(number)})
    return "\n".join(_section(section) for section in sections)


def _program_section(program: Program) -> dict[str, str]:
    return {
        "": f"program:{program.name}",
        "command": shlex.join(program.command),
        "directory": str(BASE_DIR),
        "stdout_logfile": str(log_path(program.name)),
        "redirect_stderr": "true",
        "stdout_logfile_maxbytes": "5MB",
        "stdout_logfile_backups": "2",
        "autorestart": "true",
        "startsecs": "2",
        "startretries": str(DEATHS_ALLOWED),
        "stopwaitsecs": str(program.stop_wait_s),
        "stopasgroup": "false",
        "killasgroup": "true",
    }


def _section(fields: dict[str, str]) -> str:
    # supervisor expands %(…)s, so a per cent sign in a path is doubled; in names of log files
    # twice, since it expands those twice.
    lines = [
        f"{name}={value.replace('%', '%%%%' if name == 'stdout_logfile' else '%%')}"
        for name, value in fields.items()
        if name
    ]
    return "\n".join([f"[{fields['']}]", *lines, ""])


def _announce(sign_in_link: str) -> None:
    """Once the site answers, print its address and the first admin's sign-in link."""
    if not _wait_for(f"{settings.LOCAL_URL}/healthz"):
        say(f"The site did not answer within {START_LIMIT_S} s; its log: {log_path('web')}")
        return
    say(f"\n  FreeLLM is at {settings.PUBLIC_URL}/")
    if sign_in_link:
        say(f"  First sign-in (works once): {sign_in_link}")
    say("  Ctrl-C stops it.\n")


def _wait_for(url: str) -> bool:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own http address
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False
