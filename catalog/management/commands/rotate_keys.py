"""`manage.py rotate_keys`: encrypt all provider keys with the first of FIELD_ENCRYPTION_KEYS."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from catalog.key_store import rotate_keys


class Command(BaseCommand):
    help = (
        "Encrypts every provider key again with the first of FIELD_ENCRYPTION_KEYS. "
        "Put the new value first, run this, then take the old value out."
    )

    def handle(self, *args: object, **options: object) -> None:
        rotated, lost = rotate_keys()
        self.stdout.write(f"{rotated} keys are encrypted with the first value now.")
        if lost:
            names = ", ".join(f"{row.label} ({row.provider.name})" for row in lost)
            raise CommandError(
                f"{len(lost)} could not be decrypted: {names}. Add the value they were encrypted "
                "with to FIELD_ENCRYPTION_KEYS, or enter these keys again."
            )
