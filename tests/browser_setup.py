"""Makes sure a Chromium is here, by the system's package manager where that is possible.

python -m tests.browser_setup
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MANAGERS: dict[str, list[list[str]]] = {
    "apt-get": [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]],
    "dnf": [["dnf", "install", "-y", "-q", "chromium"]],
    "pacman": [["pacman", "-Sy", "--noconfirm", "chromium"]],
    "apk": [["apk", "add", "--quiet", "chromium"]],
    "zypper": [["zypper", "--non-interactive", "install", "chromium"]],
}


def chromium() -> str | None:
    """The path of a Chromium; CHROMIUM overrides the search."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def main() -> int:
    if chromium():
        return 0
    manager = next((name for name in MANAGERS if shutil.which(name)), None)
    elevate = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if manager is None or (elevate and not shutil.which("sudo")):
        return _explain()
    sys.stderr.write(f"Installing Chromium for the browser tests with {manager} ...\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in MANAGERS[manager]:
        if subprocess.run([*elevate, *command], env=environment, check=False).returncode != 0:
            return _explain()
    return 0 if chromium() else _explain()


def _explain() -> int:
    sys.stderr.write(
        "No Chromium is here and it could not be installed: the browser tests will be skipped "
        "(in CI they fail). Install a package named chromium, or set CHROMIUM to its path.\n"
    )
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
