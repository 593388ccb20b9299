"""What the words of a model's id say about it: family, modality, specialties.

Pure tables and lookups; `catalog.naming` splits ids into the words this module reads.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# A family is the lineage of the weights. The first row with a matching word wins, so tunes
# and distillates that are known by their own name stand before the weights they grew from.
_FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("whisper", ("whisper",)),
    ("orpheus", ("orpheus",)),
    ("bge", ("bge",)),
    ("hermes", ("hermes", "deephermes", "openhermes")),
    ("nemotron", ("nemotron",)),
    ("deepseek", ("deepseek", "janus")),
    ("olmo", ("olmo", "tulu")),
    ("molmo", ("molmo",)),
    ("aya", ("aya",)),
    ("command", ("command", "c4ai")),
    ("gemini", ("gemini", "learnlm")),
    ("phi", ("phi",)),
    ("glm", ("glm", "chatglm")),
    ("kimi", ("kimi", "moonlight")),
    ("granite", ("granite",)),
    ("falcon", ("falcon",)),
    ("jamba", ("jamba",)),
    ("lfm", ("lfm", "lfm2")),
    ("laguna", ("laguna",)),
    ("minimax", ("minimax",)),
    ("mimo", ("mimo",)),
    ("hunyuan", ("hunyuan", "hy3")),
    ("solar", ("solar",)),
    ("reka", ("reka",)),
    ("yi", ("yi",)),
    ("ernie", ("ernie",)),
    ("exaone", ("exaone",)),
    ("grok", ("grok",)),
    ("claude", ("claude",)),
    ("allam", ("allam",)),
    ("compound", ("compound",)),
    ("riva", ("riva",)),
    ("t5", ("t5",)),
    ("llama", ("codellama", "llamaguard", "tinyllama")),
    (
        "qwen",
        ("qwq", "qvq", "qwerky", "tars", "deepcoder", "olympiccoder", "dracarys", "holo", "holo2"),
    ),
    (
        "mistral",
        (
            "codestral",
            "devstral",
            "ministral",
            "magistral",
            "mathstral",
            "pixtral",
            "mixtral",
            "voxtral",
            "zephyr",
            "openchat",
            "starling",
            "discolm",
            "cybertron",
            "toppy",
            "mythomist",
            "capybara",
            "unslopnemo",
            "neural",
        ),
    ),
    ("llama", ("mythomax", "sqlcoder", "reflection", "rogue")),
    ("gemma", ("gemma", "medgemma", "gemma2", "gemma3", "gemma4")),
    ("mistral", ("mistral",)),
    ("llama", ("llama", "l2", "l3")),
    ("qwen", ("qwen",)),
    ("llava", ("llava",)),
    ("dolphin", ("dolphin", "chatdolphin")),
)

# Words that name a task other than plain chat; the first match wins.
_MODALITIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("guard", ("guard", "safeguard", "llamaguard", "moderation", "safety", "shieldgemma")),
    ("stt", ("whisper", "asr", "transcribe", "parakeet", "canary")),
    ("tts", ("tts", "orpheus", "speech", "kokoro")),
    (
        "embedding",
        ("embed", "embedding", "embeddings", "bge", "e5", "t5", "gte", "rerank", "reranker"),
    ),
    ("image", ("flux", "diffusion", "sdxl", "dall", "imagen", "image", "kandinsky", "dreamshaper")),
    (
        "vision",
        (
            "vl",
            "vision",
            "pixtral",
            "llava",
            "molmo",
            "multimodal",
            "omni",
            "gemini",
            "learnlm",
            "janus",
            "tars",
            "holo",
            "holo2",
            "maverick",
            "scout",
            "robotics",
        ),
    ),
)

_SPECIALTIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "code",
        (
            "code", "coder", "codestral", "devstral", "codellama", "deepcoder", "olympiccoder",
            "sqlcoder", "dracarys", "laguna", "starcoder",
        ),
    ),
    (
        "reasoning",
        (
            "reasoning", "reasoner", "thinking", "r1", "qwq", "qvq", "magistral", "deephermes",
            "deepcoder", "olympiccoder", "reflection", "o1", "o3", "o4",
        ),
    ),
    ("math", ("math", "mathstral", "prover")),
    ("translation", ("translate", "translation", "translator")),
    (
        "multilingual",
        ("multilingual", "aya", "arabic", "german", "saba", "lion", "shisa", "allam", "command"),
    ),
)  # fmt: skip

_SIZED_VISION_GEMMA = {"4b", "12b", "27b"}  # Gemma 3 sees images from 4B up
_GLM_VISION = re.compile(r"\d(?:\.\d)?v")


def family_of(words: Sequence[str]) -> str:
    """The lineage of the weights, "" where the words do not tell."""
    known = _known_family(words)
    if known:
        return known
    first = words[0] if words else ""
    is_named_line = first.isalpha() and (len(words) == 1 or words[1][:1].isdigit())
    return first if is_named_line and len(first) > 1 else ""


def _known_family(words: Sequence[str]) -> str:
    if "gpt" in words:
        return "gpt-oss" if "oss" in words else "gpt"
    if words and re.fullmatch(r"o[134]", words[0]):
        return "openai-o"
    present = set(words)
    return next((family for family, marks in _FAMILIES if present.intersection(marks)), "")


def modality_of(words: Sequence[str]) -> str:
    present = set(words)
    for modality, marks in _MODALITIES:
        if present.intersection(marks):
            return modality
    return "vision" if _sees_images(words) else "chat"


def _sees_images(words: Sequence[str]) -> bool:
    if "glm" in words:
        return any(_GLM_VISION.fullmatch(word) for word in words)
    if "gemma" in words:
        return "4" in words or ("3" in words and bool(_SIZED_VISION_GEMMA.intersection(words)))
    return False


def specialties_of(words: Sequence[str], modality: str) -> tuple[str, ...]:
    present = set(words)
    found = [name for name, marks in _SPECIALTIES if present.intersection(marks)]
    if modality == "vision":
        found.append("vision")
    if {"gpt", "oss"} <= present:
        found.append("reasoning")
    return tuple(found)
