import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("monitoring", "0002_calls_by_outcome_and_source"),
    ]

    operations = [
        migrations.CreateModel(
            name="Tuning",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(blank=True, max_length=80)),
                ("model", models.CharField(blank=True, max_length=200)),
                ("name", models.CharField(max_length=80)),
                ("value", models.FloatField()),
            ],
            options={
                "ordering": ["provider", "model", "name"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "model", "name"), name="one_value_per_field_and_level"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("model", ""),
                            models.Q(("provider", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="an_offer_has_a_provider",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TuningChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("who", models.CharField(max_length=150)),
                ("why", models.CharField(max_length=300)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("edit", "changed"),
                            ("undo", "taken back"),
                            ("import", "imported"),
                        ],
                        default="edit",
                        max_length=6,
                    ),
                ),
                (
                    "undoes",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="undone_by",
                        to="monitoring.tuningchange",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="TuningStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(blank=True, max_length=80)),
                ("model", models.CharField(blank=True, max_length=200)),
                ("name", models.CharField(max_length=80)),
                ("old", models.FloatField(null=True)),
                ("new", models.FloatField(null=True)),
                (
                    "change",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="monitoring.tuningchange",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AddIndex(
            model_name="tuningchange",
            index=models.Index(fields=["-at"], name="tuning_newest"),
        ),
        migrations.AddIndex(
            model_name="tuningstep",
            index=models.Index(fields=["provider", "model"], name="tuning_step_level"),
        ),
    ]
