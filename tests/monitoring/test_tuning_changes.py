"""Changes of the policy in the database: whole or not at all, never lost, undone as a change."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from redis import Redis

from gateway import keys
from gateway.policy import Scope
from gateway.policy.published import decoded
from monitoring.models import ChangeKind, TuningChange
from monitoring.tuning.changes import (
    Contradicts,
    Edit,
    NothingToChange,
    Overtaken,
    Why,
    overrides_in_force,
    save,
    truth,
    undo,
)
from monitoring.tuning.publishing import publish_now
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db
WAIT, CAP, BASE = "limiter.max_wait_s", "retry.cap_s", "retry.base_s"
ALL, GROQ = Scope(), Scope("groq")
MARA = Why("mara", "it was slow")


def set_(name: str, new: float | None, scope: Scope = ALL, seen: int | None = None) -> TuningChange:
    return save([Edit(scope, name, new)], MARA, truth().version if seen is None else seen)


def test_a_change_keeps_who_why_old_and_new() -> None:
    """And holds from then on."""
    first = set_(WAIT, 3)
    change = set_(WAIT, 4)
    (step,) = change.steps.all()
    assert (change.who, change.why, step.old, step.new) == ("mara", "it was slow", 3, 4)
    assert change.pk > first.pk
    assert overrides_in_force() == {ALL: {WAIT: 4}}
    assert truth().version == change.pk


def test_undo_restores_as_a_change_of_its_own() -> None:
    """All of its fields; a field that was not set before follows the level above again."""
    set_(WAIT, 3)
    change = save([Edit(ALL, WAIT, 4), Edit(GROQ, CAP, 9)], MARA, truth().version)
    taken_back = undo(change, "jon")
    assert overrides_in_force() == {ALL: {WAIT: 3}}
    assert (taken_back.kind, taken_back.undoes, taken_back.who) == (ChangeKind.UNDO, change, "jon")
    undo(taken_back, "mara")
    assert overrides_in_force() == {ALL: {WAIT: 4}, GROQ: {CAP: 9}}


def test_undo_does_not_run_over_what_came_after() -> None:
    """Somebody has set the same field since: that is said, and nothing changes."""
    change = set_(WAIT, 3)
    set_(WAIT, 4)
    with pytest.raises(Overtaken) as refusal:
        undo(change, "jon")
    assert [step.new for step in refusal.value.by] == [4]
    assert overrides_in_force() == {ALL: {WAIT: 4}}


def test_who_was_overtaken_loses_nothing_silently() -> None:
    """The same field changed by another since the page was opened; other fields do not clash."""
    seen = truth().version
    set_(WAIT, 3, seen=seen)
    with pytest.raises(Overtaken):
        set_(WAIT, 4, seen=seen)
    set_(CAP, 9, seen=seen)
    set_(WAIT, 5, GROQ, seen=seen)
    assert overrides_in_force() == {ALL: {WAIT: 3, CAP: 9}, GROQ: {WAIT: 5}}


def test_what_contradicts_is_not_written() -> None:
    """Also where the other value stands at another level."""
    set_(BASE, 3, GROQ)
    with pytest.raises(Contradicts) as refusal:
        save([Edit(ALL, CAP, 2), Edit(ALL, WAIT, 1)], MARA, truth().version)
    assert [one.scope for one in refusal.value.problems] == [GROQ]
    assert overrides_in_force() == {GROQ: {BASE: 3}}


def test_what_changes_nothing_is_no_change() -> None:
    """No row in the history for it."""
    set_(WAIT, 3)
    with pytest.raises(NothingToChange):
        set_(WAIT, 3)
    with pytest.raises(NothingToChange):
        set_(CAP, None)
    assert TuningChange.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_wins() -> None:
    """All had the same version before their eyes."""
    seen, outcomes = truth().version, []

    def change(value: int) -> None:
        try:
            set_(WAIT, value, seen=seen)
            outcomes.append("saved")
        except Overtaken:
            outcomes.append("overtaken")
        finally:
            connection.close()

    threads = [threading.Thread(target=change, args=(value,)) for value in range(6, 12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(outcomes) == ["overtaken"] * 5 + ["saved"]
    assert TuningChange.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_saved_is_published(redis_url: str) -> None:
    """With its version; again after Redis has lost it, and not without need."""
    change = set_(WAIT, 3)
    assert publish_now()
    with Redis.from_url(redis_url) as redis:
        first = redis.get(keys.POLICY)
        assert decoded(first).version == change.pk
        assert decoded(first).overrides == {ALL: {WAIT: 3}}
        publish_now()
        assert redis.get(keys.POLICY) == first
        redis.flushall()
        publish_now()
        assert decoded(redis.get(keys.POLICY)) == decoded(first)


@pytest.mark.django_db(transaction=True)
def test_without_redis_it_is_kept_and_said(redis_server: RedisServer) -> None:
    """The change is in the database; it is published when Redis is back."""
    set_(WAIT, 3)
    redis_server.kill()
    assert not publish_now()
    redis_server.ensure_running()
    assert publish_now()
