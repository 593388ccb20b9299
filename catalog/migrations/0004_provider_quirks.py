"""A provider's departures from its wire format, as the bundled mapping has them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0003_key_evidence"),
    ]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="quirks",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
