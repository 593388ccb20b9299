"""What people have set in place of the policy's defaults, and every change that led there."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.utils import timezone

from gateway.policy import Scope


class ChangeKind(models.TextChoices):
    EDIT = "edit", "changed"
    UNDO = "undo", "taken back"
    IMPORT = "import", "imported"


class Place(models.Model):
    """One field of the policy, at one of its levels; "" is every provider, every model."""

    provider = models.CharField(max_length=80, blank=True)  # the slug, as the engine knows it
    model = models.CharField(max_length=200, blank=True)  # the offer's id there
    name = models.CharField(max_length=80)  # such as "limiter.max_wait_s"

    class Meta:
        abstract = True

    @property
    def scope(self) -> Scope:
        return Scope(self.provider, self.model)


class Tuning(Place):
    """An override in force."""

    value = models.FloatField()

    class Meta:
        ordering: ClassVar = ["provider", "model", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["provider", "model", "name"], name="one_value_per_field_and_level"
            ),
            models.CheckConstraint(
                condition=models.Q(model="") | ~models.Q(provider=""),
                name="an_offer_has_a_provider",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope.label}: {self.name} = {self.value:g}"


class TuningChangeQuerySet(models.QuerySet["TuningChange"]):
    def with_steps(self) -> Self:
        return self.prefetch_related("steps")

    def about(self, scope: Scope) -> Self:
        """Those that touched this level; all of them for the default."""
        if scope == Scope():
            return self
        touched = TuningStep.objects.filter(provider=scope.provider)
        if scope.model:
            touched = touched.filter(model=scope.model)
        return self.filter(pk__in=touched.values("change"))


class TuningChange(models.Model):
    """Everything that one person changed at one moment; its id is the version that came of it."""

    at = models.DateTimeField(default=timezone.now)
    who = models.CharField(max_length=150)  # outlives the account
    why = models.CharField(max_length=300)
    kind = models.CharField(max_length=6, choices=ChangeKind.choices, default=ChangeKind.EDIT)
    undoes = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="undone_by"
    )

    objects = TuningChangeQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [models.Index(fields=["-at"], name="tuning_newest")]

    def __str__(self) -> str:
        return f"Change {self.pk} by {self.who}"


class TuningStep(Place):
    """One field of a change; None is “as the level above has it”."""

    change = models.ForeignKey(TuningChange, on_delete=models.CASCADE, related_name="steps")
    old = models.FloatField(null=True)
    new = models.FloatField(null=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [models.Index(fields=["provider", "model"], name="tuning_step_level")]

    def __str__(self) -> str:
        return f"{self.scope.label}: {self.name} {self.old} → {self.new}"
