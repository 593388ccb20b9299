"""What a provider does with prompts and asks of an account, as the bundled mapping has it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0005_provider_resets"),
    ]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="demands",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="provider",
            name="training",
            field=models.CharField(
                blank=True,
                choices=[
                    ("never", "Prompts stay on this machine"),
                    ("outside-europe", "Trains on prompts outside Europe"),
                    ("used", "Trains on prompts"),
                ],
                max_length=16,
            ),
        ),
    ]
