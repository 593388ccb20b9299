"""What the ranking will ask for is fetched once the lists were renewed."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from playground.measured import measured
from playground.models import Run, RunState
from tests.catalog.refreshing import refreshed
from tests.factories import make_user
from tests.playground.test_keeping import make_run

pytestmark = pytest.mark.django_db


def test_a_refresh_warms_the_measured_speeds() -> None:
    """Whoever asks afterwards, in any process, finds them kept."""
    make_run(
        make_user(),
        state=RunState.DONE,
        provider="acme",
        model="wren-8b",
        first_token_s=0.5,
        tokens_per_s=80.0,
        finished_at=timezone.now(),
    )
    refreshed()
    Run.objects.all().delete()
    assert async_to_sync(measured)() == {("acme", "wren-8b"): (0.5, 80.0)}
