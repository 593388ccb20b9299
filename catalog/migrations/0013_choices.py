"""What admins chose for offers, models and providers against what the lists say."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0012_limit_probes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Choice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "aspect",
                    models.CharField(
                        choices=[
                            ("hidden", "Hidden"),
                            ("pinned", "Pinned"),
                            ("name", "Name"),
                            ("limits", "Limits"),
                            ("free", "Free"),
                            ("note", "Note"),
                        ],
                        max_length=8,
                    ),
                ),
                ("value", models.JSONField()),
                ("before", models.JSONField(blank=True, null=True)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "author",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "ended_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="choices",
                        to="catalog.model",
                    ),
                ),
                (
                    "offer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="choices",
                        to="catalog.offer",
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="choices",
                        to="catalog.provider",
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("model__isnull", True),
                                ("offer__isnull", False),
                                ("provider__isnull", True),
                            ),
                            models.Q(
                                ("model__isnull", False),
                                ("offer__isnull", True),
                                ("provider__isnull", True),
                            ),
                            models.Q(
                                ("model__isnull", True),
                                ("offer__isnull", True),
                                ("provider__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="choice_of_one_thing",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("offer", "aspect"),
                        name="one_choice_in_force_of_offer",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("model", "aspect"),
                        name="one_choice_in_force_of_model",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("provider", "aspect"),
                        name="one_choice_in_force_of_provider",
                    ),
                ],
            },
        ),
    ]
