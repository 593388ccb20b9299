"""What the simulated models say: Markdown that is plainly labelled as simulated.

The same seed, model, messages and request seed give the same text.
"""

from __future__ import annotations

import random
import re
from itertools import groupby, pairwise

from gateway.simulator.asking import Ask
from gateway.simulator.scenario import SimModel
from gateway.simulator.tokens import split_tokens

_WORD = re.compile(r"[^\W\d_]+")
_SHORTEST = 3  # letters of a word that may be a topic
_CODE = re.compile(
    r"\b(code|python|function|class|script|bug|regex|sql|api|algorithm|refactor|unit tests?|"
    r"implement|def|loop|javascript|program)\b",
    re.IGNORECASE,
)
_LONG = re.compile(
    r"\b(essay|in detail|explain|compare|report|story|guide|summari[sz]e|step by step)\b",
    re.IGNORECASE,
)
_LONG_PROMPT_CHARS = 1_500
_LOOKED_AT_CHARS = 400
_PINGS = {"ok", "ping", "hi", "hello", "test", "say ok"}
_FILLER_WORDS = """
about across after again against all also always among and another answer any are around away
because been before being below best between both brief briefly bullet bullets but can code
compare could create describe detail did does doing done down during each eight either else ever
every exactly example examples explain few first five following for four from function get gets
give given gives good had happens has have help her here him himself his how implement into its
itself just know last least less let like line lines lists main make makes many may maybe might
more most much must need never new next nine nor not now off often once one only onto other our
out over own paragraphs part parts per please points program python question really same say
script second section sections see sentences seven several shall she short should show simple
since single six some step story such summarise summarize sure table tables take tell ten test
tests text than that the their them then there these they think this three through too translate
two under unit until upon use using very via want was way well were what when where whether which
while who whole whose why will with without words would write yes yet you your
"""
_FILLER = frozenset(_FILLER_WORDS.split())

_OPENINGS = (
    "The short version: {topic} comes down to a few things that are worth keeping apart.",
    "Here is a way to think about {topic} that stays useful once the details change.",
    "There are several sides to {topic}; the ones below matter most in practice.",
)
_POINTS = (
    "**Start from the goal.** Decide what a good result for {topic} looks like first.",
    "**Keep the parts small.** A small part of {topic} can be checked before the next begins.",
    "**Measure, then change.** One number for {topic} says more than three opinions.",
    "**Write the assumptions down.** Most trouble with {topic} begins with one nobody stated.",
    "**Prefer the reversible step.** If {topic} goes wrong, the way back should be short.",
    "**Ask who is affected.** People live with {topic} long after the decision.",
    "**Mind the limits.** Time, money and attention bound what {topic} can become.",
)
_PARAGRAPHS = (
    (
        "Looking closer, {topic} rewards patience. The first attempt shows where the difficulty "
        "really lies, and the second one is usually simpler because of it."
    ),
    (
        "A common mistake is to treat {topic} as a single problem. Split it in two, solve the half "
        "that is understood, and the other half often turns out to be smaller than it looked."
    ),
    (
        "It helps to compare {topic} with something familiar. Where the comparison holds, borrow "
        "what works; where it breaks, you have found what is special about the case."
    ),
    (
        "In daily use, the boring questions about {topic} decide: who keeps it running, what "
        "happens when it fails, and how anyone would notice."
    ),
    (
        "Numbers make this concrete. If {topic} takes 20 minutes and happens 15 times a week, an "
        "hour spent on improving it is paid back within days."
    ),
)
_CLOSINGS = (
    "If you say more about your situation, the advice on {topic} can be more specific.",
    "That should be enough to take the next step with {topic}.",
    "None of this is final: revisit {topic} once you have seen it work.",
)
_CODE_BODIES = (
    '''def group_{name}(items: list[str]) -> dict[str, int]:
    """Count how often each of the items occurs, most frequent first."""
    counts: dict[str, int] = {{}}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


if __name__ == "__main__":
    print(group_{name}(["a", "b", "a"]))  # {{'a': 2, 'b': 1}}''',
    '''from dataclasses import dataclass


@dataclass(frozen=True)
class {title}Entry:
    label: str
    weight: float = 1.0


def heaviest(candidates: list[{title}Entry]) -> {title}Entry:
    """The candidate with the greatest weight; raises ValueError when there is none."""
    if not candidates:
        raise ValueError("no candidates")
    return max(candidates, key=lambda one: one.weight)''',
    '''from collections.abc import Iterator


def {name}_windows(values: list[int], size: int) -> Iterator[list[int]]:
    """Every run of `size` neighbours, from left to right."""
    for start in range(len(values) - size + 1):
        yield values[start : start + size]


for window in {name}_windows([3, 1, 4, 1, 5], size=3):
    print(window, sum(window))''',
)


def compose(seed: int, provider_name: str, model: SimModel, ask: Ask) -> tuple[list[str], str]:
    """The tokens of the answer and its finish reason, `stop` strings and lengths honoured."""
    request_seed = "" if ask.seed is None else ask.seed
    temperature = ask.temperature or 0
    said = "\x1e".join(f"{role}\x1f{text}" for role, text in ask.messages)
    source = f"{seed}/{model.name}/{request_seed}/{temperature}/{said}"
    dice = random.Random(  # noqa: S311 - a simulation, not a secret
        source.encode(errors="surrogatepass")
    )
    if ask.tool:
        return split_tokens(ask.tool.filled()), "tool_calls"
    if ask.json_form:
        text = ask.json_form.filled()
    else:
        text = _write(dice, provider_name, model, ask.prompt)
    for stop in ask.stop:
        text = text.split(stop, 1)[0]
    tokens = split_tokens(text)
    most = min(ask.max_tokens or model.max_output_tokens, model.max_output_tokens)
    if len(tokens) > most:
        return tokens[:most], "length"
    return tokens, "stop"


def think(ask: Ask) -> str:
    """What a reasoning model shows of its thoughts before it answers."""
    kind = "a coding task" if _CODE.search(ask.prompt) else "a question to answer in prose"
    return f"The user asks about {_topic(ask.prompt)}. This is {kind}; a short plan is enough."


def _write(dice: random.Random, provider_name: str, model: SimModel, prompt: str) -> str:
    label = f"This is a simulated answer by {model.name} on {provider_name}."
    nature = "No language model was asked; what follows only has the shape of an answer."
    if prompt.strip(" .!?\n").lower() in _PINGS:
        return f"{label} OK."
    topic = _topic(prompt)
    blocks = [f"{label} {nature}", dice.choice(_OPENINGS).format(topic=topic)]
    is_long = bool(_LONG.search(prompt)) or len(prompt) > _LONG_PROMPT_CHARS
    if _CODE.search(prompt):
        blocks += _code_blocks(dice, prompt)
    points = dice.sample(_POINTS, k=dice.randint(3, 5 if is_long else 4))
    blocks.append("\n".join(f"{no}. {one.format(topic=topic)}" for no, one in enumerate(points, 1)))
    for paragraph in dice.sample(_PARAGRAPHS, k=dice.randint(3, 5) if is_long else 1):
        blocks.append(paragraph.format(topic=topic))
    blocks.append(dice.choice(_CLOSINGS).format(topic=topic))
    return "\n\n".join(blocks)


def _code_blocks(dice: random.Random, prompt: str) -> list[str]:
    names = [word.lower() for word in _topic_words(prompt) if word.isidentifier()]
    name = names[-1] if names else "sample"
    code = dice.choice(_CODE_BODIES).format(name=name, title=name.title())
    return ["### A first version", f"```python\n{code}\n```"]


def _topic(prompt: str) -> str:
    words = _topic_words(prompt)
    return f"*{' '.join(words)}*" if words else "*your question*"


def _topic_words(prompt: str) -> list[str]:
    """The two neighbours, else the one word, that say most: "linked list", "tidal power".

    The longest, because nouns are longer than what holds them together.
    """
    first_line = prompt[:_LOOKED_AT_CHARS].strip().partition("\n")[0]
    runs = [
        list(run) for tells, run in groupby(_WORD.findall(first_line), key=_is_telling) if tells
    ]
    pairs = [list(pair) for run in runs for pair in pairwise(run)]
    singles = [[word] for run in runs for word in run]
    return max(pairs or singles, key=lambda words: len("".join(words)), default=[])


def _is_telling(word: str) -> bool:
    return len(word) >= _SHORTEST and word.lower() not in _FILLER
