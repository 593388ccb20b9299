"""A chat request's way: who asks, what, is there quota, does a fault strike, then the answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from gateway.simulator.answers import compose, think
from gateway.simulator.asking import Answer, Ask, BadAskError
from gateway.simulator.delivery import Delivery
from gateway.simulator.exchange import BodyTooLargeError, ClientGone, Exchange
from gateway.simulator.faulty import replace_answer
from gateway.simulator.pacing import draw_pace
from gateway.simulator.runtime import RunningProvider, Simulation, Tally
from gateway.simulator.scenario import SimModel
from gateway.simulator.styles import Problem, ProblemKind, Reply, View
from gateway.simulator.tokens import count_prompt, count_tokens
from gateway.simulator.wires import WIRES

MOST_BODY_BYTES = 16 * 1024 * 1024
_TOO_MANY = Problem(ProblemKind.THROTTLED, 429, "Too many requests are under way. Try again soon.")
ANYONE = "anyone"  # the account of callers at a provider without keys


class Rejected(Exception):
    """The request is turned away before any quota or fault is looked at."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that makes sense, from an account that may ask."""

    account: str
    ask: Ask
    model: SimModel
    prompt_tokens: int


async def serve_chat(
    simulation: Simulation, running: RunningProvider, exchange: Exchange, hint: str
) -> None:
    """Answer one chat request. `hint` is what the path says, for dialects that say more there."""
    try:
        accepted = await _accept(running, exchange, hint)
    except Rejected as rejection:
        running.tally("").rejected += 1
        await send(exchange, running.style.problem(rejection.problem))
        return
    tally = running.tally(accepted.model.id)
    tally.in_flight += 1
    try:
        turn = _Turn(running, exchange, accepted, tally, running.next_request_no())
        await exchange.while_connected(turn.take(), simulation.stopping)
    except ClientGone:
        tally.disconnected += 1
    finally:
        tally.in_flight -= 1


async def send(exchange: Exchange, reply: Reply) -> None:
    await exchange.reply(reply.status, reply.encoded(), reply.headers)


def recognise(running: RunningProvider, exchange: Exchange) -> str:
    """The account behind the caller's key; raises Rejected."""
    keys = running.spec.keys
    if not keys:
        return ANYONE
    if running.spec.dialect == "gemini":
        key = exchange.header("x-goog-api-key") or exchange.query("key")
    else:
        _, _, key = exchange.header("authorization").partition(" ")  # Bearer, or Token
    if key.strip() not in keys:
        raise Rejected(Problem(ProblemKind.WRONG_KEY, 401, "Invalid API Key"))
    return key.strip()


async def _accept(running: RunningProvider, exchange: Exchange, hint: str) -> Accepted:
    try:
        body = await exchange.read(MOST_BODY_BYTES)
    except BodyTooLargeError:
        raise Rejected(Problem(ProblemKind.TOO_LARGE, 413, "Request body too large")) from None
    account = recognise(running, exchange)
    try:
        ask = WIRES[running.spec.dialect].read(body, hint)
    except BadAskError as bad:
        raise Rejected(Problem(ProblemKind.BAD_REQUEST, 400, str(bad), bad.param)) from bad
    model = running.spec.model(ask.model)
    if model is None:
        text = f"The model `{ask.model:.200}` does not exist or you do not have access to it."
        raise Rejected(Problem(ProblemKind.UNKNOWN_MODEL, 404, text, "model"))
    if ask.has_images and model.modality != "vision":
        text = f"The model `{model.id}` does not take images."
        raise Rejected(Problem(ProblemKind.BAD_REQUEST, 400, text, "messages"))
    prompt_tokens = count_prompt(text for _, text in ask.messages)
    wanted = prompt_tokens + (ask.max_tokens or 1)
    if wanted > model.context_tokens:
        text = (
            f"This model's maximum context length is {model.context_tokens} tokens. However, you "
            f"requested {wanted} tokens. Please reduce the length of the messages or completion."
        )
        raise Rejected(Problem(ProblemKind.CONTEXT_TOO_LONG, 400, text, "messages"))
    return Accepted(account, ask, model, prompt_tokens)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One accepted request, from its number to its answer."""

    running: RunningProvider
    exchange: Exchange
    accepted: Accepted
    tally: Tally
    request_no: int

    async def take(self) -> None:
        running, model = self.running, self.accepted.model
        fault = running.next_fault(model.id, on="chat", replacing=True)
        if fault is not None:
            self.tally.faulted += 1
            running.note(self.request_no, model.id, fault, "struck")
            await replace_answer(self.exchange, running.style, fault)
            return
        answer = self._compose()
        refused = self._admit(answer)
        if refused is not None:
            self.tally.refused += 1
            running.note(self.request_no, model.id, None, "refused")
            await send(self.exchange, refused)
            return
        running.serving += 1
        try:
            await self._deliver(answer)
        finally:
            running.serving -= 1

    def _compose(self) -> Answer:
        running, ask, model = self.running, self.accepted.ask, self.accepted.model
        tokens, finish_reason = compose(running.seed, running.spec.name, model, ask)
        reasoning = think(ask) if "reasoning" in model.specialties else ""
        name = f"{running.seed}/{running.spec.slug}/{self.request_no}"
        return Answer(
            id=hashlib.sha256(name.encode()).hexdigest()[:24],
            model=model,
            created_s=int(running.clock.unix_s()),
            tokens=tuple(tokens),
            finish_reason=finish_reason,
            prompt_tokens=self.accepted.prompt_tokens,
            reasoning=reasoning,
            reasoning_tokens=count_tokens(reasoning),
            tool=ask.tool.name if ask.tool else "",
        )

    def _admit(self, answer: Answer) -> Reply | None:
        """Count the request, or say what it is told that finds no room."""
        if self.running.is_full:
            return self.running.style.problem(_TOO_MANY)
        account, model = self.accepted.account, self.accepted.model
        refusal = self.running.admit(account, model, answer.charge)
        return None if refusal is None else self.running.style.refused(refusal, self._view())

    def _view(self) -> View:
        account, model = self.accepted.account, self.accepted.model
        standings = self.running.standings(account, model)
        return View(model, standings, self.running.clock.unix_s(), self.accepted.ask.is_stream)

    async def _deliver(self, answer: Answer) -> None:
        running, model = self.running, self.accepted.model
        headers = running.style.admitted_headers(self._view())
        fault = running.next_fault(model.id, on="chat", replacing=False)
        pace = draw_pace(running.seed, running.spec, model, self.request_no, fault)
        running.note(self.request_no, model.id, fault, "admitted", pace)
        self.tally.admitted += 1
        self.tally.tokens += answer.charge
        self.tally.faulted += fault is not None
        delivery = Delivery(self.exchange, running, answer, pace, fault, headers)
        await delivery.send(self.accepted.ask)
        self.tally.answered += 1
