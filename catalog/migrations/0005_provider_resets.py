"""In which time zone a provider's days and months end, as the bundled mapping has it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0004_provider_quirks"),
    ]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="resets",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
