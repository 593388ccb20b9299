"""What a prompt asks of a model: the kind of task, how hard it is, how long question and answer.

Everything is read from the text by rules a person can check; nothing is called. Cues are words
and shapes in several languages; each kind of task adds up its cues and the highest sum wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from gateway.dialects import Ability
from gateway.estimate import estimate_tokens


class Task(StrEnum):
    QUESTION = "question"
    CODE = "code"
    REASONING = "reasoning"
    TRANSLATION = "translation"
    SUMMARY = "summary"
    CREATIVE = "creative"
    EXTRACTION = "extraction"
    CHAT = "chat"


class Complexity(StrEnum):
    SIMPLE = "simple"
    MEDIUM = "medium"
    HARD = "hard"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a call must find. `skills` are specialties, the one that matters most first."""

    task: Task
    complexity: Complexity
    prompt_tokens: int  # with system text and earlier turns
    answer_tokens: int  # expected: for the time it takes
    reserved_tokens: int  # what the answer may take at most: for what must fit
    skills: tuple[str, ...] = ()
    abilities: frozenset[Ability] = frozenset()  # what comes along or is wanted beside text

    @property
    def tokens(self) -> int:
        """What must fit a context: the prompt and room for its answer."""
        return self.prompt_tokens + self.reserved_tokens


# A long prompt says what it wants at its beginning or its end; what lies between is material.
_SAMPLE = 3_000
_STRONG, _WEAK = 4, 2

_WORDS: dict[Task, str] = {
    Task.CODE: r"""
        python|javascript|typescript|golang|rust|java|kotlin|swift|c\+\+|c\#|php|ruby|sql|regex|
        regexp|bash|html|css|django|react|lua|dockerfile|kubernetes|unit\ tests?|stack\ trace|
        refactor\w*|debug\w*|compil\w+|code|function|method|script|algorithm|program|parser|
        database|endpoint|rate\ limit\w*|token\ bucket|data\ structure|
        funktion|quellcode|skript|fonction|programme|función|código|função|funzione|codice|
        код|функци\w+|代码|函数|编程|コード|関数""",
    Task.REASONING: r"""
        prove|proof|derive|calculate|compute|solve|equation|integral|derivative|theorem|
        probability|step\ by\ step|logic\w*|puzzle|riddle|how\ many|deduce|
        (?:each|every)\ step|show\ (?:why|that|your\ work)|
        beweis\w*|berechne\w*|löse|wahrscheinlichkeit|gleichung|schritt\ für\ schritt|rätsel|
        démontre\w*|calcule\w*|résou\w+|équation|demuestra|resuelve|ecuación|calcula|prova|
        resolva|dimostra|risolvi|докажи\w*|реши\w*|вычисли\w*|证明|计算|方程|証明|計算""",
    Task.TRANSLATION: r"""
        translat\w+|übersetz\w*|tradui\w*|traduc\w*|traduz\w*|перевед\w*|перевод\w*|翻译|翻訳|
        (?:in)?to\ (?:german|french|spanish|italian|portuguese|russian|chinese|japanese|polish)|
        (?:auf|ins)\ (?:deutsch|englisch\w*|französisch\w*|spanisch\w*)""",
    Task.SUMMARY: r"""
        summar\w+|tl;?dr|key\ points|in\ a\ nutshell|zusammenfass\w*|fasse\b.{0,60}\bzusammen|
        résum\w*|resum\w+|riassum\w+|кратко|резюмируй|суммируй|总结|概括|要約""",
    Task.CREATIVE: r"""
        (?:write|draft|compose)\b[^.?!\n]{0,40}\b
            (?:e-?mail|letter|post|essay|article|speech|description|invitation|newsletter)|
        poem|haiku|sonnet|limerick|lyrics|song|short\ story|story|fairy\ tale|slogan|brainstorm\w*|
        gedicht|geschichte|märchen|poème|conte|poema|cuento|poesia|racconto|
        стих\w*|рассказ|сказк\w+|写诗|诗|故事|俳句|物語""",
    Task.EXTRACTION: r"""
        extract\w*|as\ json|into\ json|csv|classif\w+|categori[sz]e\w*|label\ each|parse\ the|
        list\ all|find\ all|named\ entities|extrahier\w*|klassifizier\w*|extrai\w*|extrae\w*|
        estra\w+|извлек\w*|классифицир\w*|提取|分类|抽出|分類""",
    Task.CHAT: r"""
        hi|hello|hey|good\ (?:morning|evening)|thanks|thank\ you|how\ are\ you|hallo|guten\ tag|
        danke|bonjour|merci|hola|gracias|ciao|grazie|olá|obrigad\w+|привет|спасибо|你好|谢谢|
        こんにちは|ありがとう""",
}
_SHAPES: dict[Task, str] = {
    Task.CODE: r"""
        ```|\bdef\ \w+\(|\bclass\ \w+\s*[:({]|\#include\b|^[ \t]*(?:import|from)\ [\w.]+|=>|
        \bconst\ \w+|
        \bSELECT\b.{1,200}\bFROM\b|</\w+>|Traceback\ \(|console\.log|
        \bpublic\ static\b|\);[ \t]*$""",
    Task.REASONING: r"""
        \\(?:frac|int|sum|sqrt)\b|\$[^$\n]{2,80}\$|\d\s*[-+*/^]\s*\d+\s*=""",
}
# The words that people put where a task begins: "write a Python function" is code, not fiction.
_HARD = r"""
    design|architect\w*|optimi[sz]e\w*|trade-?offs?|compare|analy[sz]e\w*|in\ detail|thorough\w*|
    edge\ cases?|concurren\w+|distributed|prove|proof|justify|say\ why|explain\ why|rigorous\w*|
    entwirf|optimier\w*|vergleiche|analysier\w*|ausführlich|begründe|compar\w+|optimis\w+|
    en\ détail|diseña|analiza|detalle|подробно|сравни|обоснуй|设计|比较|分析|设計|比較"""
_EASY = r"""
    briefly|in\ (?:one|a)\ (?:word|sentence)|short\ answer|one-?liner|yes\ or\ no|just\ the|
    kurz|in\ einem\ satz|brièvement|brevemente|кратко|简短|一言で"""


def _words(pattern: str) -> re.Pattern[str]:
    """For text in lower case: ignoring case while matching takes twice as long."""
    # `(?<!\w)` and not `\b`, so that a Chinese word counts inside a text without spaces.
    flags = re.VERBOSE | re.DOTALL
    return re.compile(rf"(?:(?<![a-zà-ÿа-я])(?:{pattern})(?![a-zà-ÿа-я]))", flags)


_WORD_CUES = {task: _words(pattern) for task, pattern in _WORDS.items()}
_SHAPE_CUES = {
    task: re.compile(pattern, re.VERBOSE | re.MULTILINE) for task, pattern in _SHAPES.items()
}
_HARD_CUES, _EASY_CUES = _words(_HARD), _words(_EASY)
_DEMANDS = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+", re.MULTILINE)
# "3 boxes hold 12 pens each. How many ...?": numbers, then a question not far behind them.
_QUESTION = re.compile(r"\b(?:[Hh]ow|[Ww]hat)\b[^?]{0,200}+\?")
_NUMBER = re.compile(r"\d+")
_STORY = 400

_BASE_POINTS = {
    Task.CHAT: 0, Task.QUESTION: 0, Task.TRANSLATION: 1, Task.SUMMARY: 1, Task.EXTRACTION: 1,
    Task.CREATIVE: 1, Task.CODE: 2, Task.REASONING: 2,
}  # fmt: skip
_LENGTH_STEPS = (80, 400, 2_000)  # tokens; each step passed is a point
_MEDIUM_FROM, _HARD_FROM = 2, 4
# These work through their material; its length makes them long, not hard.
_READS_MATERIAL = {Task.TRANSLATION, Task.SUMMARY, Task.EXTRACTION}

_ANSWER_TOKENS = {Complexity.SIMPLE: 200, Complexity.MEDIUM: 500, Complexity.HARD: 1_200}
_SKILLS: dict[Task, tuple[str, ...]] = {
    Task.CODE: ("code",),
    Task.REASONING: ("reasoning", "math"),
    Task.TRANSLATION: ("translation", "multilingual"),
}
_FOREIGN_SHARE = 0.15


def read_needs(
    prompt: str,
    *,
    system: str = "",
    history_tokens: int = 0,
    task: Task | None = None,
    max_tokens: int | None = None,
    abilities: frozenset[Ability] = frozenset(),
) -> Needs:
    """Read a prompt's needs; a given `task` overrules the one detected."""
    found = task or detect_task(prompt)
    own_tokens = estimate_tokens(prompt)
    complexity = _complexity(prompt, found, own_tokens)
    expected = _answer_tokens(found, complexity, own_tokens)
    return Needs(
        task=found,
        complexity=complexity,
        prompt_tokens=own_tokens + estimate_tokens(system) + history_tokens,
        answer_tokens=min(expected, max_tokens or expected),
        reserved_tokens=max_tokens or expected,
        skills=_skills(prompt, found, complexity),
        abilities=abilities,
    )


def detect_task(prompt: str) -> Task:
    """The kind of task whose cues weigh most; a question where there are none."""
    text = _sample(prompt)
    lower = text.lower()
    points = {task: _WEAK * _different(cue, lower) for task, cue in _WORD_CUES.items()}
    for task, cue in _SHAPE_CUES.items():
        points[task] += _STRONG * _different(cue, text)
    points[Task.REASONING] += _STRONG * _is_word_problem(text)
    best = max(points, key=lambda task: points[task])
    return best if points[best] else Task.QUESTION


def _sample(prompt: str) -> str:
    if len(prompt) <= 2 * _SAMPLE:
        return prompt
    return f"{prompt[:_SAMPLE]}\n{prompt[-_SAMPLE:]}"


def _different(cue: re.Pattern[str], text: str) -> int:
    """How many different cues occur; three say as much as thirty."""
    return min(3, len({match.group().strip().lower() for match in cue.finditer(text)}))


def _is_word_problem(text: str) -> bool:
    """Looked for from the question back: from each number on it would take the square of them."""
    starts = (match.start() for match in _QUESTION.finditer(text))
    stories = (text[max(0, start - _STORY) : start].rpartition("?")[2] for start in starts)
    return any(len(_NUMBER.findall(story)) > 1 for story in stories)


def _complexity(prompt: str, task: Task, tokens: int) -> Complexity:
    text = _sample(prompt).lower()
    length = sum(tokens > step for step in _LENGTH_STEPS)
    points = (
        _BASE_POINTS[task]
        + (length // 2 if task in _READS_MATERIAL else length)
        + min(2, _different(_HARD_CUES, text))
        + (len(_DEMANDS.findall(text)) >= 3)  # noqa: PLR2004 - a list of demands
        - (1 if _EASY_CUES.search(text) else 0)
    )
    if points >= _HARD_FROM:
        return Complexity.HARD
    return Complexity.MEDIUM if points >= _MEDIUM_FROM else Complexity.SIMPLE


def _answer_tokens(task: Task, complexity: Complexity, prompt_tokens: int) -> int:
    if task is Task.TRANSLATION:
        return max(100, prompt_tokens)
    if task is Task.SUMMARY:
        return 300
    return _ANSWER_TOKENS[complexity]


def _skills(prompt: str, task: Task, complexity: Complexity) -> tuple[str, ...]:
    skills = list(_SKILLS.get(task, ()))
    if complexity is Complexity.HARD and task in {Task.CODE, Task.QUESTION, Task.EXTRACTION}:
        skills.append("reasoning")
    if "multilingual" not in skills and _is_foreign(_sample(prompt)):
        skills.append("multilingual")
    return tuple(skills)


def _is_foreign(text: str) -> bool:
    if text.isascii():
        return False
    letters = [letter for letter in text if letter.isalpha()]
    return sum(not letter.isascii() for letter in letters) > _FOREIGN_SHARE * max(1, len(letters))
