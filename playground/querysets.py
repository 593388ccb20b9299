"""Reads of conversations and runs, named for the page or the use they serve."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from playground.models import Conversation, Run


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def of(self, user: Any) -> ConversationQuerySet:
        """Only what `user` may see: their own."""
        return self.filter(user=user)

    def for_history(self, user: Any, text: str) -> ConversationQuerySet:
        """The history list: newest first, with the number of prompts, found by any word said."""
        found = self.of(user).annotate(prompts=models.Count("runs", distinct=True))
        if text:
            said = self.of(user).filter(
                models.Q(runs__prompt__icontains=text) | models.Q(runs__answer__icontains=text)
            )
            found = found.filter(
                models.Q(title__icontains=text) | models.Q(pk__in=said.values("pk"))
            )
        return found.order_by("-updated_at", "-pk")


class RunQuerySet(models.QuerySet["Run"]):
    def of(self, user: Any) -> RunQuerySet:
        return self.filter(conversation__user=user).select_related("conversation")

    def beating_before(self, moment: datetime) -> RunQuerySet:
        """Marked running, though their process has written nothing since `moment`."""
        return self.filter(state="running", beat_at__lt=moment).select_related("conversation")

    def speeds_since(self, moment: datetime) -> models.QuerySet[Run, Any]:
        """Mean time to the first token and tokens per second, by provider and model."""
        answered = self.filter(
            finished_at__gte=moment, first_token_s__isnull=False, tokens_per_s__gt=0, cached=""
        )
        return (
            answered.order_by()
            .values("provider", "model")
            .annotate(first_token=models.Avg("first_token_s"), speed=models.Avg("tokens_per_s"))
        )

    def for_conversation(self, conversation: Conversation) -> RunQuerySet:
        return self.filter(conversation=conversation).order_by("context_before", "position")

    def spoken_before(self, conversation_id: int, context_before: int) -> RunQuerySet:
        """Turns a later prompt builds on: answered, in part at least, and by the last try."""
        return (
            self.filter(conversation_id=conversation_id, context_before__lt=context_before)
            .exclude(answer="")
            .exclude(retries__answer__gt="")
            .order_by("context_before", "position")
        )
