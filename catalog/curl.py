"""A request to an offer as a line for a shell: the provider's own API, the key left to fill in."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection

from catalog.keys import KeyOrigin, UsableKey, extra_fields
from catalog.models import Offer
from catalog.targets import build_target
from gateway.dialects import dialect_for
from gateway.errors import GatewayError
from gateway.types import ChatRequest, Secret


def curl(offer: Offer, request: ChatRequest, *, stream: bool = False) -> str:
    """Exactly what the engine would send, but for the key; "" where it would send nothing."""
    provider = offer.provider
    variable, extra = provider.env_var or "API_KEY", extra_fields(provider)
    stand_in = UsableKey(
        "none", Secret(f"${variable}"), {name: f"${name}" for name in extra}, "", KeyOrigin.STORED
    )
    try:
        target = build_target(offer, stand_in)
        sent = dialect_for(target.dialect).build_request(target, request, stream=stream)
    except (GatewayError, KeyError):
        return ""
    names = (variable, *extra)
    headers = [f"-H {_quoted(f'{name}: {value}', names)}" for name, value in sent.headers.items()]
    body = json.dumps(json.loads(sent.body or b"{}"), ensure_ascii=False)
    first = f"curl {'-N ' if stream else ''}{_quoted(sent.url, names)}"
    return " \\\n  ".join([first, *headers, f"-d {shlex.quote(body)}"]) + "\n"


def _quoted(text: str, variables: Collection[str]) -> str:
    """For a shell that puts in these variables and nothing else: a model's id is a stranger's."""
    for special in ("\\", '"', "`", "$"):
        text = text.replace(special, f"\\{special}")
    for name in variables:
        text = text.replace(f"\\${name}", f"${name}")
    return f'"{text}"'
