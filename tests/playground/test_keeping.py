"""Conversations belong to their user: found, renamed, deleted, taken away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from freellm_site.accounts.models import User
from playground.models import Conversation, Run, RunState
from tests.factories import make_user


def make_run(user: User, title: str = "About birds", **fields: Any) -> Run:
    """An answered prompt in a conversation of its own."""
    conversation = Conversation.objects.create(user=user, title=title)
    defaults: dict[str, Any] = {
        "position": 1,
        "context_before": 1,
        "prompt": "What is a wren?",
        "task": "question",
        "complexity": "simple",
        "state": RunState.DONE,
        "answer": "A **small** bird.",
        "label": "Wren 8B on Sparrow",
    }
    return Run.objects.create(conversation=conversation, **{**defaults, **fields})


@pytest.fixture
def user(db: None) -> User:
    return make_user(role="operator")


@pytest.fixture
def client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_history_finds_words_of_prompts_and_answers(client: Client, user: User) -> None:
    """Any word said leads back to its conversation; only to one's own."""
    make_run(user)
    make_run(make_user(role="operator"), title="Secret birds")
    for word in ("birds", "wren", "small"):
        text = client.get("/playground/history/", {"q": word}).content.decode()
        assert "About birds" in text
        assert "Secret birds" not in text
    assert "Nothing you asked" in client.get("/playground/history/?q=zebra").content.decode()


def test_history_asks_the_database_the_same_for_any_length(
    client: Client, user: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """A page of the history costs a fixed number of queries."""
    for number in range(30):
        make_run(user, title=f"Birds {number}")
    with django_assert_max_num_queries(12):
        text = client.get("/playground/history/").content.decode()
    assert "30 conversations" in text
    assert "Page 1 of 2" in text


def test_a_fragment_for_htmx(client: Client, user: User) -> None:
    """Searching as one types swaps the rows only."""
    make_run(user)
    text = client.get("/playground/history/", headers={"HX-Request": "true"}).content.decode()
    assert "About birds" in text
    assert "<html" not in text


def test_renaming_and_deleting(client: Client, user: User) -> None:
    """Both are posts, both only for one's own."""
    run = make_run(user)
    client.post(f"/playground/{run.conversation_id}/rename/", {"title": "Wrens"})
    assert Conversation.objects.get().title == "Wrens"
    client.post(f"/playground/{run.conversation_id}/rename/", {"title": ""})
    assert Conversation.objects.get().title == "Wrens"
    client.post(f"/playground/{run.conversation_id}/delete/")
    assert not Conversation.objects.exists()


def test_others_conversations_are_not_there(client: Client) -> None:
    """Reading, renaming, deleting or exporting what is somebody else's is a 404."""
    run = make_run(make_user(role="operator"))
    pk = run.conversation_id
    assert client.get(f"/playground/{pk}/").status_code == 404
    assert client.get(f"/playground/{pk}/export.md").status_code == 404
    assert client.post(f"/playground/{pk}/rename/", {"title": "Mine"}).status_code == 404
    assert client.post(f"/playground/{pk}/delete/").status_code == 404


def test_a_conversation_can_be_taken_away(client: Client, user: User) -> None:
    """As Markdown to read and as JSON to work with."""
    run = make_run(user)
    markdown = client.get(f"/playground/{run.conversation_id}/export.md")
    assert "A **small** bird." in markdown.content.decode()
    assert 'filename="about-birds.md"' in markdown["Content-Disposition"]
    exported = json.loads(client.get(f"/playground/{run.conversation_id}/export.json").content)
    assert exported["runs"][0]["prompt"] == "What is a wren?"


def test_an_answer_is_shown_as_markdown_without_its_tricks(client: Client, user: User) -> None:
    """Formatting is rendered; scripts, handlers, foreign pictures and their links are not."""
    run = make_run(
        user,
        answer="# Bird\n<script>alert(1)</script> **b** <img src=x onerror=alert(2)>\n"
        "[bad](javascript:alert(3)) ![pixel](https://example.org/p.png)\n\n"
        '```python\nprint("<b>")\n```\n',
    )
    text = client.get(f"/playground/{run.conversation_id}/").content.decode()
    assert "<strong>b</strong>" in text
    assert "&lt;script&gt;" in text
    assert 'href="javascript:' not in text
    assert "<img src=" not in text
    assert "data-copy-code" in text
