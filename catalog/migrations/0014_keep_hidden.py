"""What was hidden stays hidden, as a choice whose author was never written down."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

_BATCH = 200


def keep_hidden(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    choices = apps.get_model("catalog", "Choice").objects
    rows: list[Any] = [
        choices.model(offer_id=pk, aspect="hidden", value=True, before=False)
        for pk in _offers(apps).filter(is_hidden=True).values_list("pk", flat=True)
    ]
    choices.bulk_create(rows, batch_size=_BATCH)


def back(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    hidden = apps.get_model("catalog", "Choice").objects.filter(
        aspect="hidden", offer__isnull=False, ended_at__isnull=True
    )
    _offers(apps).filter(pk__in=hidden.values("offer")).update(is_hidden=True)
    hidden.delete()


def _offers(apps: StateApps) -> Any:
    return apps.get_model("catalog", "Offer").objects


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0013_choices"),
    ]

    operations = [
        migrations.RunPython(keep_hidden, back),
    ]
