"""Faults that replace an answer: what the client gets instead."""

from __future__ import annotations

import asyncio
import json

from gateway.simulator.exchange import Exchange
from gateway.simulator.scenario import Fault, FaultKind
from gateway.simulator.styles import Problem, ProblemKind, Style

_KINDS = {
    400: ProblemKind.BAD_REQUEST,
    401: ProblemKind.WRONG_KEY,
    402: ProblemKind.NO_CREDIT,
    403: ProblemKind.NO_PERMISSION,
    404: ProblemKind.UNKNOWN_MODEL,
    413: ProblemKind.TOO_LARGE,
    429: ProblemKind.THROTTLED,
}
_MESSAGES = {
    ProblemKind.BAD_REQUEST: "The request is not acceptable.",
    ProblemKind.WRONG_KEY: "Invalid API Key",
    ProblemKind.NO_CREDIT: "The account has no credit left.",
    ProblemKind.NO_PERMISSION: "This key may not use this model.",
    ProblemKind.UNKNOWN_MODEL: "The model does not exist or you do not have access to it.",
    ProblemKind.TOO_LARGE: "The request is too large.",
    ProblemKind.THROTTLED: "We're experiencing high traffic right now! Please try again soon.",
    ProblemKind.SERVER: "The model is currently over capacity, try again later.",
}
_PAGE = """<!DOCTYPE html>
<html><head><title>{status} simulated gateway</title></head>
<body><h1>{status}</h1><p>The simulated gateway could not reach its upstream.</p></body></html>
"""


def problem_of(fault: Fault) -> Problem:
    """The scripted error as the provider would report it."""
    kind = _KINDS.get(fault.status, ProblemKind.SERVER)
    message = fault.message or _MESSAGES[kind]
    return Problem(kind, fault.status, message, retry_after_s=fault.retry_after_s)


async def replace_answer(exchange: Exchange, style: Style, fault: Fault) -> None:
    match fault.kind:
        case FaultKind.ERROR:
            reply = style.problem(problem_of(fault))
            await exchange.reply(reply.status, reply.encoded(), reply.headers)
        case FaultKind.ERROR_IN_OK:
            await exchange.reply(200, json.dumps(style.error_body(problem_of(fault))).encode())
        case FaultKind.HTML:
            page = _PAGE.format(status=fault.status).encode()
            await exchange.reply(fault.status, page, content_type="text/html; charset=utf-8")
        case FaultKind.EMPTY:
            await exchange.reply(200, b"")
        case FaultKind.HANG:
            await asyncio.sleep(fault.hold_s)
            reply = style.problem(Problem(ProblemKind.SERVER, 504, "The request timed out."))
            await exchange.reply(reply.status, reply.encoded(), reply.headers)
        case FaultKind.RESET:
            await exchange.abort(is_reset=True)
        case _:
            raise ValueError(f"{fault.kind} spoils an answer, it does not replace one")
