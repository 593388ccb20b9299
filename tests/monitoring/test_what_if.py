"""The past replayed by proposed limits: predicted beside actual, in the page, before saving."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from gateway.policy import Scope
from gateway.types import Outcome
from monitoring.tasks import replay_calls
from monitoring.tuning.changes import Edit, Why, overrides_in_force, save
from monitoring.tuning.past import recorded_since
from monitoring.tuning.what_if import AT_ONCE_AT_MOST
from tests.factories import make_attempt, make_call, make_offer, make_provider
from tests.monitoring.test_tuning_page import text_of
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
NOW_S = time.time()


def make_past(count: int = 8, every_s: float = 1.0) -> None:
    """Calls of one offer with ten a minute, a few minutes ago; its stand-in has no limits."""
    acme = make_provider(slug="acme", name="Acme")
    make_offer(acme, external_id="wren", limits={"rpm": 10})
    begin_s = NOW_S - 300
    for number in range(count):
        attempt = make_attempt(provider="acme", model="wren", key_id="none", duration_s=0.5)
        make_call(at=begin_s + number * every_s, provider="acme", model="wren", attempts=(attempt,))


def begin(client: Client, **fields: str) -> Any:
    typed = {name.replace("__", "."): value for name, value in fields.items()}
    return client.post(reverse("monitoring:tuning-what-if"), {"seen": "0", **typed}, follow=True)


def row(answer: Any, label: str) -> list[str]:
    """The three figures of a row: as it was, replayed as now, replayed like this."""
    found = re.search(
        rf'<th scope="row">{re.escape(label)}</th>(.*?)</tr>', answer.content.decode()
    )
    assert found, label
    return re.findall(r"<td[^>]*>(.*?)</td>", found[1])


def test_a_lower_limit_is_predicted(admin_client: Client) -> None:
    """As it was, as it would be now, as it would be then; nothing is saved by that."""
    make_past(8)
    answer = begin(admin_client, provider="acme", limits__rpm="4", limiter__max_wait_last_s="20")
    assert row(answer, "Let through") == ["8", "8", "4"]
    assert row(answer, "Refused here") == ["0", "0", "4"]
    patient = begin(admin_client, provider="acme", limits__rpm="4", limiter__max_wait_last_s="120")
    assert row(patient, "Let through") == ["8", "8", "8"]
    assert row(patient, "Waited for a quota") == ["0", "0", "4"]
    assert overrides_in_force() == {}


def test_it_is_compared_with_what_is_tuned_now(admin_client: Client) -> None:
    """The present tuning is part of the middle column."""
    make_past(8)
    save([Edit(Scope("acme"), "limits.rpm", 6)], Why("mara"), 0)
    answer = begin(admin_client, provider="acme", limits__rpm="")
    assert row(answer, "Let through") == ["8", "6", "8"]
    assert "Requests a minute 6 requests → as published follows the level above" in text_of(answer)


def test_what_was_tried_before_is_a_way_out(admin_client: Client) -> None:
    """A call that had a second target moves there, as it would have then."""
    make_past(0)
    tries = (
        make_attempt(
            provider="acme", model="wren", key_id="none", outcome=Outcome.THROTTLED, status=429
        ),
        make_attempt(provider="other", model="m", key_id="none"),
    )
    for number in range(5):
        make_call(at=NOW_S - 200 + number, provider="other", model="m", attempts=tries)
    answer = begin(admin_client, provider="acme", limits__rpm="2", limiter__max_wait_s="0")
    assert row(answer, "By a fallback") == ["5", "0", "3"]
    assert row(answer, "By their first target") == ["0", "5", "2"]
    assert row(answer, "Refused outside (429)") == ["5", "–", "–"]


def test_it_can_be_applied_from_there(admin_client: Client) -> None:
    """What was typed is in the page's own form."""
    make_past(3)
    answer = begin(admin_client, provider="acme", limits__rpm="4", why="calmer")
    fields = dict(
        re.findall(r'type="hidden" name="([\w.]+)" value="([^"]*)"', answer.content.decode())
    )
    admin_client.post(reverse("monitoring:tuning-save"), fields)
    assert overrides_in_force() == {Scope("acme"): {"limits.rpm": 4}}


def test_a_long_past_is_a_worker_s_work(admin_client: Client) -> None:
    """The page says how far it is, and loads itself anew at the end."""
    make_past(AT_ONCE_AT_MOST + 1, every_s=0.01)
    waiting = begin(admin_client, provider="acme", limits__rpm="4")
    assert "Waiting for a worker" in text_of(waiting)
    address = waiting.redirect_chain[-1][0]
    job = address.rstrip("/").split("/")[-1]
    polled = admin_client.get(address, headers={"HX-Request": "true"})
    assert "HX-Refresh" not in polled
    replay_calls(job)
    assert "HX-Refresh" in admin_client.get(address, headers={"HX-Request": "true"})
    assert row(admin_client.get(address), "Let through") == [str(AT_ONCE_AT_MOST + 1), "10", "4"]


def test_of_very_many_the_newest_are_replayed() -> None:
    """In the order in which they came, and it is known that there were more."""
    make_past(8)
    some, all_ = recorded_since(NOW_S - 600, most=5), recorded_since(NOW_S - 600)
    assert (some.is_cut, all_.is_cut) == (True, False)
    assert some.calls == all_.calls[3:]
    assert [one.at_us for one in some.calls] == sorted(one.at_us for one in some.calls)


def test_nothing_to_replay_and_nothing_known(admin_client: Client) -> None:
    """Said in words."""
    make_past(0)
    assert "there is nothing to replay" in text_of(begin(admin_client, provider="acme"))
    gone = admin_client.get(reverse("monitoring:tuning-replay", args=["forgotten"]))
    assert gone.status_code == 404


def test_a_mistake_is_said_before_the_past_is_replayed(admin_client: Client) -> None:
    """With what was typed, as everywhere."""
    make_past(1)
    answer = begin(admin_client, provider="acme", limits__rpm="many")
    assert answer.status_code == 422
    assert "“many” is not a number of requests." in text_of(answer)


def test_without_redis_it_is_said(admin_client: Client, redis_server: RedisServer) -> None:
    """A replay needs the scripts; the form is not lost."""
    make_past(1)
    redis_server.kill()
    answer = begin(admin_client, provider="acme", limits__rpm="4")
    assert "Redis is away" in text_of(answer)
    assert 'value="4"' in answer.content.decode()
