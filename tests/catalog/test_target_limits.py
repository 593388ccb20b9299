"""What the engine is told of an offer's limits."""

from __future__ import annotations

import pytest

from catalog.models import Origin, Tier
from catalog.targets import build_target
from gateway.types import Limit, Unit, Window
from tests.factories import make_model, make_offer, make_provider

pytestmark = pytest.mark.django_db


def test_a_day_ends_at_its_providers_midnight() -> None:
    """The zone goes with the limit of a day, not with that of a minute."""
    provider = make_provider(resets={"day": "America/Los_Angeles"})
    offer = make_offer(provider, make_model("Wren 8B Instruct"), limits={"rpm": 5, "rpd": 20})
    assert set(build_target(offer, None).limits) == {
        Limit(Unit.REQUESTS, Window.MINUTE, 5),
        Limit(Unit.REQUESTS, Window.DAY, 20, "America/Los_Angeles"),
    }


@pytest.mark.parametrize(
    ("fields", "hides"),
    [
        ({"origin": Origin.MAPPING, "tier": Tier.FREE}, True),
        ({"origin": Origin.MAPPING, "tier": Tier.LOCAL}, False),
        ({"origin": Origin.OWN, "tier": Tier.FREE}, False),
        ({"origin": Origin.SIMULATOR, "tier": Tier.FREE}, False),
    ],
)
def test_who_has_limits_that_nobody_knows(fields: dict[str, str], *, hides: bool) -> None:
    """Companies have them; a machine of one's own has none but those it is given."""
    offer = make_offer(make_provider(**fields), make_model("Wren 8B Instruct"))
    assert build_target(offer, None).hides_limits is hides
