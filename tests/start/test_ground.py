"""What `make run` checks first: each problem is one sentence that names the remedy."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from freellm_site.lib.environment import BASE_DIR
from freellm_site.start import ground
from freellm_site.start.ground import CannotStart


def test_var_is_private_and_its_secrets_are_kept(tmp_path: Path) -> None:
    """The folder is its owner's alone, and a second start keeps the first one's secrets."""
    var = tmp_path / "var"
    ground.make_var(var)
    ground.write_secrets(var)
    first = (var / "secrets" / "secret_key").read_text()
    ground.write_secrets(var)
    assert stat.S_IMODE(var.stat().st_mode) == 0o700
    assert stat.S_IMODE((var / "secrets" / "secret_key").stat().st_mode) == 0o600
    assert (var / "secrets" / "secret_key").read_text() == first != ""


def test_an_unwritable_var_says_how_to_choose_another() -> None:
    """A place that cannot be written to is refused before anything starts."""
    with pytest.raises(CannotStart, match="VAR_DIR="):
        ground.make_var(Path("/dev/null/var"))


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much is free, and how much is needed: here more than any disk has."""
    monkeypatch.setattr(ground, "NEEDED_MB", 10**12)
    with pytest.raises(CannotStart, match=rf"Only \d+ MB are free at {tmp_path}/var.*VAR_DIR="):
        ground.make_var(tmp_path / "var")


def test_a_second_instance_is_refused(tmp_path: Path) -> None:
    """One instance per folder; the message names the process that holds it."""
    with ground.take_lock(tmp_path), pytest.raises(CannotStart, match="already running"):
        ground.take_lock(tmp_path)
    ground.take_lock(tmp_path).close()


def test_a_running_instance_tells_its_address(tmp_path: Path) -> None:
    """Only while it runs: what is left in the file afterwards holds for nobody."""
    assert ground.running_address(tmp_path) is None
    with ground.take_lock(tmp_path) as lock:
        ground.tell_address(lock, "http://127.0.0.1:9001")
        assert ground.running_address(tmp_path) == "http://127.0.0.1:9001"
        with pytest.raises(CannotStart, match=rf"process {os.getpid()}\)"):
            ground.take_lock(tmp_path)
    assert ground.running_address(tmp_path) is None


def test_a_taken_port_is_named() -> None:
    """The message names the port and the variable that chooses another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"Port {port} is taken.*PORT="):
            ground.check_port("127.0.0.1", port)
        assert ground.free_port(port) != port


def test_an_unknown_host_is_named() -> None:
    """A HOST this machine does not have is refused with the one that always works."""
    with pytest.raises(CannotStart, match="HOST"):
        ground.check_port("192.0.2.1", 8000)


def test_an_old_python_reads_the_bootstrap_and_explains() -> None:
    """The bootstrap's syntax is old enough that an old Python can say it is too old."""
    code = (BASE_DIR / "freellm_site" / "bootstrap.py").read_text()
    script = (
        "import sys, shutil; sys.version_info = (3, 6, 0); shutil.which = lambda name: None\n"
        "sys.argv = ['bootstrap.py', 'base']; __file__ = 'freellm_site/bootstrap.py'\n" + code
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=BASE_DIR, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("freellm: Python 3.6 is too old: FreeLLM needs 3.11 or newer")
    compile(code, "bootstrap.py", "exec", flags=0, dont_inherit=True)
    assert "f'" not in code
    assert 'f"' not in code
