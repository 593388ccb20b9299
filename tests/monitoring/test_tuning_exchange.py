"""The tuning as a YAML file: what goes out comes in, mistakes are told by line and field."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import TUNABLES, Scope
from monitoring.models import ChangeKind, TuningChange
from monitoring.tuning.changes import Edit, Values, Why, overrides_in_force, save, version_in_force
from monitoring.tuning.exchange import MOST_BYTES, UnreadableFile, as_yaml, from_yaml
from tests.monitoring.test_tuning_page import text_of

WAIT = "limiter.max_wait_s"

_name = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
_scopes = st.one_of(
    st.just(Scope()), st.builds(Scope, _name), st.builds(Scope, provider=_name, model=_name)
)
_own = st.lists(st.sampled_from(sorted(TUNABLES)), min_size=1, max_size=5, unique=True).map(
    lambda names: {name: TUNABLES[name].default for name in names}
)


@given(st.dictionaries(_scopes, _own, max_size=6))
def test_what_goes_out_comes_in(values: Values) -> None:
    """Whatever providers and models are called."""
    assert from_yaml(as_yaml(values)) == values


@given(st.text(max_size=300))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    """Only with our own words."""
    with suppress(UnreadableFile):
        from_yaml(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("default: [", "This is not YAML"),
        ("default:\n  limiter:\n    max_wait_s: soon", "Line 3: limiter.max_wait_s must be a"),
        ("default: {breaker: {probes: 1.5}}", "a whole number from 1 to 20 (calls), not “1.5”."),
        ("default:\n  retry:\n    hedging: true", "Line 3: retry.hedging must be a whole number"),
        ("default:\n  luck:\n    a: 1", "“luck” is no group. There are limits, limiter"),
        ("default:\n  limiter:\n    luck: 1", "Line 3: limiter.luck is no field of the policy."),
        ("defaults: {}", "“defaults” is neither “default” nor “providers”."),
        ("providers:\n  groq: 3", "Line 2: groq must name groups"),
        ("a: &x {}\nb: *x", "The file uses aliases"),
        ("default: !!python/object:os.system {}\nx: 1", "“x” is neither"),
        ("default:\n  limiter: {max_wait_s: 1, max_wait_s: 2}", "“max_wait_s” stands twice."),
        ("- 1", "“default:” or “providers:” was expected"),
        ("[" * 3000, "This is not YAML"),
        ("#" * (MOST_BYTES + 1), "larger than 200 kB"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_its_line(text: str, words: str) -> None:
    """With what was expected there."""
    with pytest.raises(UnreadableFile, match=re.escape(words)):
        from_yaml(text)


@pytest.mark.django_db(transaction=True)
def test_a_file_is_previewed_and_then_applied(admin_client: Client) -> None:
    """It replaces what is tuned, as one change that can be undone."""
    save([Edit(Scope(), WAIT, 7), Edit(Scope(), "retry.cap_s", 9)], Why("mara"), 0)
    exported = admin_client.get(reverse("monitoring:tuning-export")).content.decode()
    text = exported.replace("max_wait_s: 7.0", "max_wait_s: 8").replace("    cap_s: 9.0\n", "")
    text = text.replace("  retry:\n", "")
    previewed = _import(admin_client, file=SimpleUploadedFile("t.yaml", text.encode()))
    assert "2 changes, not applied limiter.max_wait_s 7 s → 8 s default" in text_of(previewed)
    assert "retry.cap_s 9 s → as above" in text_of(previewed)
    assert overrides_in_force()[Scope()][WAIT] == 7
    _import(admin_client, text=text, seen=version_in_force(), apply="1", why="from the old house")
    assert overrides_in_force() == {Scope(): {WAIT: 8}}
    newest = TuningChange.objects.latest("pk")
    assert (newest.kind, newest.why) == (ChangeKind.IMPORT, "from the old house")


@pytest.mark.django_db
def test_a_wrong_file_changes_nothing_and_is_kept(admin_client: Client) -> None:
    """Out of bounds, contradictory, too large, no text: each is said."""
    wrong = _import(admin_client, text="default:\n  limiter:\n    max_wait_s: 900")
    assert wrong.status_code == 422
    assert "Line 3: limiter.max_wait_s" in text_of(wrong)
    assert "max_wait_s: 900" in text_of(wrong)
    contradictory = _import(admin_client, text="default: {retry: {base_s: 9}}")
    assert "must not be above" in text_of(contradictory)
    no_text = _import(admin_client, file=SimpleUploadedFile("t.yaml", b"\xff\xfe\x00"))
    assert "not text in UTF-8" in text_of(no_text)
    large = _import(admin_client, file=SimpleUploadedFile("t.yaml", b"#" * (MOST_BYTES + 1)))
    assert "larger than 200 kB" in text_of(large)
    assert "Choose a file" in text_of(_import(admin_client))
    assert overrides_in_force() == {}


@pytest.mark.django_db
def test_who_was_overtaken_looks_again(admin_client: Client) -> None:
    """Somebody changed the same field between preview and applying."""
    save([Edit(Scope(), WAIT, 7)], Why("mara"), 0)
    text = "default: {limiter: {max_wait_s: 8}}"
    answer = _import(admin_client, text=text, seen=0, apply="1")
    assert "Somebody changed the tuning meanwhile" in text_of(answer)
    assert overrides_in_force() == {Scope(): {WAIT: 7}}


def _import(client: Client, **fields: Any) -> Any:
    return client.post(reverse("monitoring:tuning-import"), fields)
