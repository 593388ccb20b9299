"""python -m freellm_site.start [--demo]

Checks the ground, writes the secrets, prepares the database, then supervises every process in
the foreground until Ctrl-C or TERM.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys

from django.core.exceptions import ImproperlyConfigured

from freellm_site.lib.environment import BASE_DIR, read_environment, var_dir
from freellm_site.start import ground
from freellm_site.start.ground import CannotStart

_TOLD = "CommandError: "


def main() -> int:
    parser = argparse.ArgumentParser(prog="freellm", description="Start FreeLLM.")
    parser.add_argument("--demo", action="store_true", help="with simulated traffic")
    is_demo = parser.parse_args().demo
    # Until the supervisor listens to both, TERM ends a start as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _start(is_demo=is_demo)
    except (CannotStart, ImproperlyConfigured) as error:
        sys.stderr.write(f"freellm: {error}\n")
        return 1
    except OSError as error:  # one of our own files, perhaps left by another user
        sys.stderr.write(
            f"freellm: {error.filename or 'A file'} cannot be used ({error.strerror}). "
            "Check who owns it and the free space.\n"
        )
        return 1
    except KeyboardInterrupt:
        sys.stdout.write("Stopped.\n")
        return 0


def _start(*, is_demo: bool) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "freellm_site.settings")
    var = var_dir(read_environment())
    ground.make_var(var)
    ground.write_secrets(var)
    lock = ground.take_lock(var)

    from django.conf import settings  # noqa: PLC0415 - readable only once the secrets are there

    ground.check_port(settings.HOST, settings.PORT)
    ground.tell_address(lock, settings.PUBLIC_URL)
    if "SIMULATOR_PORT" not in os.environ and "SIMULATOR_URL" not in os.environ:
        os.environ["SIMULATOR_PORT"] = str(ground.free_port(settings.SIMULATOR_PORT))
    sign_in_link = _prepare()

    from freellm_site.start.supervise import supervise  # noqa: PLC0415 - loads the supervisor

    with lock:
        return supervise(is_demo=is_demo, sign_in_link=sign_in_link)


def _prepare() -> str:
    """Prepare in a process of its own, since what it loads is not needed afterwards.

    Returns the first admin's sign-in link, "" once an admin has signed in.
    """
    command = [sys.executable, "manage.py", "prepare"]
    done = subprocess.run(  # noqa: S603 - our own command
        command,
        cwd=BASE_DIR,
        check=False,
        capture_output=True,
        text=True,
        start_new_session=True,  # Ctrl-C is ours to hear; leaving this function ends it
    )
    if done.returncode == 0:
        sys.stderr.write(done.stderr)
        return done.stdout.strip()
    *before, last = done.stderr.strip().splitlines() or [""]
    if before or not last.startswith(_TOLD):
        sys.stderr.write(done.stderr)
        raise CannotStart("Preparing the database failed, see above.")
    raise CannotStart(last.removeprefix(_TOLD))


if __name__ == "__main__":
    sys.exit(main())
