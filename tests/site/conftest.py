"""What tests of the site share."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from freellm_site.shell import redis_watch


@pytest.fixture(autouse=True)
def _fast_passwords(settings: Settings) -> None:
    """These tests are about who comes in, not about the hash."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _redis_asked_anew() -> None:
    """No test sees what another found out about Redis within the last second."""
    redis_watch.forget()
