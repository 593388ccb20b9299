"""Makes `.venv` ready, with nothing but a Python and its standard library.

    python3 freellm_site/bootstrap.py base|dev

Written so that an old Python can read it and say what is wrong. A second call with the same
lock does nothing.
"""

import hashlib
import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")


def main(kind: str) -> None:
    if sys.version_info < OLDEST:
        hand_over_to_newer_python()
    if not is_usable():
        make_venv()
    if not is_installed(kind):
        install(kind)


def stop(sentence: str) -> None:
    sys.stderr.write("freellm: " + sentence + "\n")
    sys.exit(1)


def hand_over_to_newer_python() -> None:
    """Another Python on the PATH may be new enough."""
    for minor in (12, 11, 13, 14):  # from 13 on the embedded Redis has to be compiled
        newer = shutil.which("python3.%d" % minor)
        if newer and subprocess.call([newer, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            os.execv(newer, [newer] + sys.argv)
    stop(
        "Python %d.%d is too old: FreeLLM needs 3.11 or newer. "
        "Install one, or name it: make run PYTHON=/path/to/python3.11" % sys.version_info[:2]
    )


def is_usable() -> bool:
    command = [PYTHON, "-c", "import sys, pip; sys.exit(sys.version_info < (3, 11))"]
    return os.path.exists(PYTHON) and subprocess.call(command, stderr=subprocess.DEVNULL) == 0


def make_venv() -> None:
    command = [sys.executable, "-m", "venv", "--clear", VENV]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode == 0:
        return
    text = made.stdout.decode(errors="replace")
    shutil.rmtree(VENV, ignore_errors=True)
    if "ensurepip" in text:
        stop("This Python has no venv module. On Debian or Ubuntu: apt install python3-venv")
    stop(
        "Could not make %s (%s). Make the folder writable for this user and look at the free space."
        % (VENV, (text.strip().splitlines() or ["no reason given"])[-1])
    )


def lock_path(kind: str) -> str:
    return os.path.join(ROOT, "requirements", kind + ".txt")


def stamp_path(kind: str) -> str:
    return os.path.join(VENV, "installed-" + kind)


def lock_digest(kind: str) -> str:
    with open(lock_path(kind), "rb") as lock:
        return hashlib.sha256(lock.read()).hexdigest()


def is_installed(kind: str) -> bool:
    try:
        with open(stamp_path(kind)) as stamp:
            return stamp.read() == lock_digest(kind)
    except OSError:
        return False


def install(kind: str) -> None:
    print("Installing FreeLLM's packages into .venv (only when the lock changed) ...", flush=True)
    command = [PYTHON, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    command += ["--require-hashes", "--requirement", lock_path(kind)]
    if subprocess.call(command) != 0:
        stop(
            "Installing the packages failed, see above. Check the network (or pip's index "
            "settings) and run the same command again: it goes on where it stopped."
        )
    # The development lock holds everything of the base lock, at the same versions.
    for done in ("base", "dev") if kind == "dev" else ("base",):
        with open(stamp_path(done), "w") as stamp:
            stamp.write(lock_digest(done))


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "base")
    except KeyboardInterrupt:
        sys.exit(130)
