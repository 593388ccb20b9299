"""Probes: they come from inside, by any name, with nobody signed in."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_answer_under_any_host(path: str, db: None, settings: Settings) -> None:
    """An inner address is no allowed host, and no TLS is spoken there."""
    settings.ALLOWED_HOSTS = ["freellm.example.org"]
    settings.SECURE_SSL_REDIRECT = True
    answer = Client(headers={"host": "10.0.0.5"}).get(path)
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


def test_only_the_probes_are_exempt(db: None, settings: Settings) -> None:
    """Everything else is refused under a name that is not the site's."""
    settings.ALLOWED_HOSTS = ["freellm.example.org"]
    assert Client(headers={"host": "10.0.0.5"}).get("/sign-in/").status_code == 400
