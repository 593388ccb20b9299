"""The style guide shows all there is."""

from __future__ import annotations

import pytest
from django.test import Client

from freellm_site.styleguide import icon_names

pytestmark = pytest.mark.django_db


def test_each_icon_and_state_is_shown(viewer_client: Client) -> None:
    """Whoever builds a page finds every part here."""
    page = viewer_client.get("/styleguide/").text
    for name in icon_names():
        assert f"#i-{name}" in page
    for shape in ("full", "half", "hollow", "unknown"):
        assert f"#g-{shape}" in page
    assert "Burst is 90 but the rate is 27 a minute. Use 27 or less." in page


def test_strangers_sign_in_first(client: Client) -> None:
    """Nothing of the product is public."""
    assert client.get("/styleguide/")["Location"] == "/sign-in/?next=/styleguide/"
