"""Brings the database, the catalog and the static files up to date; part of every start."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from catalog.sync import sync_catalog
from freellm_site.accounts.services import first_sign_in_link


class Command(BaseCommand):
    help = (
        "Migrate, load the catalog data, collect the static files; "
        "print a sign-in link while no admin has ever signed in."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        # Redis starts after this, so nobody can be told of the change, and nobody has to be.
        logging.getLogger("catalog.generation").setLevel(logging.ERROR)
        sync_catalog()
        call_command("collectstatic", interactive=False, verbosity=0)
        link = first_sign_in_link(settings.PUBLIC_URL)
        if link:
            self.stdout.write(link)
