from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]

    operations = [
        migrations.AddConstraint(
            model_name="refresh",
            constraint=models.UniqueConstraint(
                Coalesce("provider", 0),
                condition=models.Q(state__in=("queued", "running")),
                name="one_active_refresh",
            ),
        ),
    ]
