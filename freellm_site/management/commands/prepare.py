"""Brings the database, the catalog and the static files up to date; part of every start."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import django
import servestatic
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from django.db.migrations.exceptions import MigrationSchemaMissing

from catalog.sync import sync_catalog
from freellm_site.accounts.services import first_sign_in_link


class Command(BaseCommand):
    help = (
        "Migrate, load the catalog data, collect the static files; "
        "print a sign-in link while no admin has ever signed in."
    )
    # They load every page; `make lint` has run them, and what a person sets is checked by settings.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError, in one sentence, where the surroundings do not allow it."""
        try:
            link = prepare()
        except (OperationalError, MigrationSchemaMissing) as error:
            raise CommandError(
                f"The database refuses to work ({_in_line(error)}). Check DATABASE_URL, "
                "the free space and the rights of its file, and whether its server runs."
            ) from error
        except OSError as error:
            raise CommandError(
                f"{error.filename or settings.VAR_DIR} cannot be written "
                f"({error.strerror}). Check its rights and the free space."
            ) from error
        if link:
            self.stdout.write(link)


def prepare() -> str | None:
    """Everything a start needs; the first admin's sign-in link while it is wanted."""
    call_command("migrate", interactive=False, verbosity=0)
    # Redis starts after this, so nobody can be told of the change, and nobody has to be.
    logging.getLogger("catalog.generation").setLevel(logging.ERROR)
    sync_catalog()
    collect_static()
    return first_sign_in_link(settings.PUBLIC_URL)


def _in_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def collect_static() -> bool:
    """Collect, hash and compress, unless nothing changed since the last time; whether it did."""
    stamp, digest = Path(settings.STATIC_ROOT) / ".collected", _static_digest()
    if stamp.is_file() and stamp.read_text() == digest:
        return False
    stamp.unlink(missing_ok=True)
    # Anew, since Django takes a file of the same second, or an older one put back, for unchanged.
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(digest)
    return True


def _static_digest() -> str:
    digest = hashlib.sha256(f"{django.__version__} {servestatic.__version__}".encode())
    for finder in get_finders():
        for path, storage in sorted(finder.list(None), key=lambda found: found[0]):
            stat = Path(storage.path(path)).stat()
            digest.update(f"{path}\0{stat.st_mtime_ns}\0{stat.st_size}\0".encode())
    return digest.hexdigest()
