"""The page of the queue: calls of every process, and the controls beside them."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from redis import Redis

from catalog.engine import engine
from gateway import keys
from gateway.dispatch.sharing import LaneTold, ProcessTold, Queues
from gateway.dispatch.underway import CallView, Stage
from gateway.types import Priority
from monitoring.queueing.picture import SHOWN_CALLS
from tests.factories import make_provider, make_user
from tests.servers import RedisServer

PAGE = "/monitoring/queue/"


def make_view(number: int = 0, **fields: Any) -> CallView:
    defaults: dict[str, Any] = {
        "call_id": f"call{number:08}",
        "source": "api",
        "owner": "mara",
        "priority": Priority.NORMAL,
        "stage": Stage.PLACE,
        "age_s": 1.0 + number,
        "provider": "acme",
        "model": "wren-8b",
        "label": "Wren on Acme",
        "tries": 1,
        "expected_s": 4.0,
    }
    return CallView(**{**defaults, **fields})


def tell(server: RedisServer, *calls: CallView, process: str = "web a:1") -> None:
    """As another process tells of itself."""
    lanes = (LaneTold("acme", 2, 8, len(calls), 3),)
    told = ProcessTold(process, time.time() + 60, lanes, calls)
    with Redis(unix_socket_path=str(server.socket)) as redis:
        redis.hset(keys.QUEUES, f"{process} 1", json.dumps(asdict(told)))


def queues() -> Queues:
    async def read() -> Queues:
        async with engine() as gateway:
            return await gateway.queues.all()

    return async_to_sync(read)()


def test_it_tells_who_waits_first(viewer_client: Client, redis_server: RedisServer) -> None:
    """Of every process, with names; who only looks has no buttons."""
    make_provider(slug="acme", name="Acme Works")
    user = make_user(username="ana")
    tell(
        redis_server,
        make_view(1, stage=Stage.SENT),
        make_view(2, priority=Priority.BATCH),
        make_view(3, stage=Stage.QUOTA, owner=f"user:{user.pk}", expected_s=None),
    )
    tell(redis_server, make_view(4, priority=Priority.INTERACTIVE), process="worker b:2")
    page = viewer_client.get(PAGE)
    text = page.text
    assert "3 calls wait, 1 under way" in text
    ends = ["000004", "000002", "000003", "000001"]
    assert [row.call.call_id[-6:] for row in page.context["shown"].calls] == ends
    for said in ("Acme Works", "ana", "in about 4", "not known", "waits for its quota", "4 of 16"):
        assert said in text
    assert "web a:1" in text
    assert "worker b:2" in text
    assert "Take out" not in text
    assert "Hold back" not in text


def test_one_providers_calls_and_the_figures(
    viewer_client: Client, redis_server: RedisServer
) -> None:
    tell(redis_server, make_view(1), make_view(2, provider="other"))
    shown = viewer_client.get(PAGE + "?provider=other").context["shown"]
    assert [row.call.call_id for row in shown.rows] == ["call00000002"]
    lines = viewer_client.get(PAGE + "figures.csv?provider=acme").text.splitlines()
    assert lines[0] == "start,limit,running,waiting"
    assert len(lines) == 61
    assert lines[-1].endswith(",8,2,2")


def test_a_long_queue_is_cut_and_counted(
    viewer_client: Client,
    redis_server: RedisServer,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    tell(redis_server, *(make_view(number) for number in range(SHOWN_CALLS + 30)))
    viewer_client.get(PAGE)
    with django_assert_num_queries(1):  # who asks
        page = viewer_client.get(PAGE).text
    assert "and 30 more" in page
    assert page.count("waits for a place</span>") == SHOWN_CALLS


def test_an_admin_pauses_a_provider_and_lets_it_go(admin_client: Client) -> None:
    make_provider(slug="acme", name="Acme Works")
    form = {"provider": "acme", "how": "pause", "for_s": "600", "reason": "An outage, they say"}
    answer = admin_client.post(PAGE + "hold/", form, follow=True)
    assert "Acme Works is being paused." in answer.text
    assert "An outage, they say" in answer.text
    assert "paused until" in answer.text
    held = queues().holds["acme"]
    assert (held.how, held.reason) == ("pause", "An outage, they say")
    assert 0 < held.until_s - time.time() <= 601

    answer = admin_client.post(PAGE + "release/", {"provider": "acme"}, follow=True)
    assert "paused until" not in answer.text
    assert queues().holds == {}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("reason", "", "This field is required."),
        ("provider", "pigeons", "Select a valid choice."),
        ("for_s", "7", "Select a valid choice."),
        ("how", "kill", "Select a valid choice."),
    ],
)
def test_a_wrong_wish_is_said_and_stays_in_the_form(
    admin_client: Client, field: str, value: str, said: str
) -> None:
    form = {"provider": "*", "how": "drain", "for_s": "600", "reason": "An outage", field: value}
    answer = admin_client.post(PAGE + "hold/", form)
    assert answer.status_code == 422
    assert said in answer.text
    assert field == "reason" or "An outage" in answer.text
    assert queues().holds == {}


def test_taking_a_call_out_is_told_to_every_process(
    admin_client: Client, operator_client: Client, redis_server: RedisServer
) -> None:
    form = {"call_id": "call00000001"}
    assert operator_client.post(PAGE + "call-off/", form).status_code == 403
    answer = admin_client.post(PAGE + "call-off/", form, headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert "…000001 is taken out" in json.loads(answer["HX-Trigger"])["toast"]["text"]
    with Redis(unix_socket_path=str(redis_server.socket)) as redis:
        ((member, _),) = redis.zrange(keys.CALLED_OFF, 0, -1, withscores=True)
    assert member.startswith(b"call00000001 Taken out of the queue by user")


def test_without_redis_it_says_so(admin_client: Client, redis_server: RedisServer) -> None:
    redis_server.kill()
    page = admin_client.get(PAGE)
    assert page.status_code == 200
    assert "Redis is away, and this process has no figures from before" in page.text
    answer = admin_client.post(PAGE + "release/", {"provider": "acme"}, follow=True)
    assert "nothing was told to the other processes" in answer.text
