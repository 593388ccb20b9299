"""Being hidden is a choice now; 0014 kept what was hidden."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0014_keep_hidden"),
    ]

    operations = [
        migrations.RemoveField(
            model_name="offer",
            name="is_hidden",
        ),
    ]
