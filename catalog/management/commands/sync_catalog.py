"""Load the bundled mapping; safe to run at every start."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from catalog.sync import sync_catalog


class Command(BaseCommand):
    help = "Bring providers, models and offers in line with the bundled mapping."

    def handle(self, *args: Any, **options: Any) -> None:
        result = sync_catalog()
        lines = {
            "providers": result.providers,
            "models": result.models,
            "offers": result.offers,
        }
        for name, tally in lines.items():
            self.stdout.write(f"{name}: {tally.created} new, {tally.updated} changed")
