"""NLP Cloud's chatbot: one exchange, what was said before it, and nothing else to choose.

https://docs.nlpcloud.com/#chatbot-and-conversational-ai. Its answers come whole: also where a
stream is asked for, since no source describes one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gateway.dialects.asking import post
from gateway.dialects.base import Piece, Reply, StreamParser
from gateway.dialects.bodies import is_error
from gateway.dialects.fitting import fit
from gateway.dialects.reading import JsonStream, parse_object, text_of
from gateway.dialects.refusals import classify, classify_inside
from gateway.errors import InvalidRequest, MalformedReply, ProviderError
from gateway.messages import Message
from gateway.quirks import DROPPABLE, REFUSABLE
from gateway.transport import OutgoingRequest
from gateway.types import ChatRequest, Target


class NLPCloudDialect:
    wordless = DROPPABLE | REFUSABLE

    def build_request(
        self, target: Target, request: ChatRequest, *, stream: bool
    ) -> OutgoingRequest:
        asked, dropped = fit(target, request, self.wordless)
        model = quote(target.model, safe="/")
        return post(target, f"/{model}/chatbot", _body(asked.messages), dropped=dropped)

    def parse_response(self, body: bytes) -> Reply:
        return _reply(parse_object(body))

    def parse_stream(self) -> StreamParser:
        return JsonStream(_reply)

    def classify_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        return classify(status, headers, body)


def _reply(answer: dict[str, Any]) -> Piece:
    if is_error(answer):
        raise classify_inside(answer, 200)
    if not isinstance(answer.get("response"), str):
        raise MalformedReply("The answer holds no response.", status=200)
    return Reply(text_of(answer["response"]), finish_reason="stop")


def _body(messages: Sequence[Message]) -> dict[str, Any]:
    context = "\n\n".join(one.text for one in messages if one.role == "system")
    history, question = _exchanges([one for one in messages if one.role != "system"])
    return {
        "input": question,
        **({"context": context} if context else {}),
        **({"history": history} if history else {}),
    }


def _exchanges(messages: Sequence[Message]) -> tuple[list[dict[str, str]], str]:
    """Pairs of what was said and answered, and what stands open; raises InvalidRequest."""
    history: list[dict[str, str]] = []
    pending: list[str] = []
    for one in messages:
        if one.role == "assistant":
            history.append({"input": "\n\n".join(pending), "response": one.text})
            pending.clear()
        else:
            pending.append(one.text)
    if not pending:
        raise InvalidRequest("The conversation does not end with something to answer.")
    return history, "\n\n".join(pending)
