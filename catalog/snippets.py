"""How to call an offer without us: the provider's own API, with the key left to fill in."""

from __future__ import annotations

import json
from dataclasses import dataclass

from catalog.curl import curl
from catalog.keys import PLACEHOLDER
from catalog.models import Offer
from gateway.types import ChatRequest, Message

_HELLO = ChatRequest((Message("user", "Hello"),))


@dataclass(frozen=True, slots=True)
class Snippet:
    name: str
    title: str
    text: str


def snippets(offer: Offer) -> list[Snippet]:
    """Python and curl for OpenAI-style providers; [] for the other wire formats."""
    provider = offer.provider
    if provider.chat_dialect != "openai" or provider.origin == "simulator":
        return []
    texts = {"Python": _python(offer), "curl": curl(offer, _HELLO)}
    return [Snippet(title.lower(), title, text) for title, text in texts.items()]


def _python(offer: Offer) -> str:
    provider = offer.provider
    key = f'os.environ["{provider.env_var or "API_KEY"}"]' if provider.needs_key else '"none"'
    address = json.dumps(provider.base_url)
    if PLACEHOLDER.search(address):
        address = "f" + PLACEHOLDER.sub(r"{os.environ['\1']}", address)
    imports = "import os\n\n" if "os.environ" in key + address else ""
    return (
        f"{imports}from openai import OpenAI\n\n"
        "client = OpenAI(\n"
        f"    base_url={address},\n"
        f"    api_key={key},\n"
        ")\n"
        "answer = client.chat.completions.create(\n"
        f"    model={json.dumps(offer.external_id)},\n"
        '    messages=[{"role": "user", "content": "Hello"}],\n'
        ")\n"
        "print(answer.choices[0].message.content)\n"
    )
