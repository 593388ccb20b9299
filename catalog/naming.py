"""From a provider's model id to what people call the model, by parsing alone.

    "@cf/meta/llama-3.3-70b-instruct-fp8-fast" -> Llama 3.3 70B Instruct, llama, 70 B

Serves ids that `data/models.toml` does not know, and decides which offers are the same model.
What the id does not say stays unknown: a missing size is None, never zero.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from catalog.lineage import family_of, modality_of, specialties_of

MAX_NAME = 160

# Mixtures whose total is not experts x size, as published with the weights.
_MIXTURES = {("8", "7"): (46.7, 12.9), ("8", "22"): (141.0, 39.0)}
_EXPERTS = {("17", "16"): 109.0, ("17", "128"): 400.0}
_LARGEST_BELIEVABLE_B = 100_000
_SMALLEST_MILLIONS = 10  # "1m" in an id is a context mark, "22m" a size

# Ways of serving the same weights. They do not make another model.
_SERVING = {
    "fp4", "fp8", "fp16", "bf16", "int4", "int8", "nvfp4", "mxfp4", "w4a16", "awq", "gptq", "gguf",
    "4bit", "6bit", "8bit", "mlx", "lora", "vllm", "hf", "maas", "tee", "free", "latest", "zen",
    "exacto", "stable",
}  # fmt: skip
# The same, but only behind a size: "Whisper Large v3 Turbo" and "GPT-5 Chat" are models.
_SERVING_BEHIND_SIZE = {
    "chat", "cloud", "fast", "instant", "only", "specdec", "speculative", "decoding", "text",
    "tput", "turbo", "versatile",
}  # fmt: skip
# A model is meant in its instruction-tuned form unless its name says "base".
_INSTRUCT = {"instruct", "it"}
_ROUTE_TAGS = {"free", "latest", "nitro", "floor", "extended", "online", "exacto", "beta", "cloud"}
_QUANTIZATION = re.compile(r"i?q\d\w*")
# Spellings of some providers, made plain before the id is cut into words.
_REWRITES = tuple(
    (re.compile(pattern, re.IGNORECASE), plain)
    for pattern, plain in (
        (r"\.gguf$", ""),
        (r"[-_.]i?q\d(?:_[a-z0-9]+)*$", ""),  # a GGUF file's precision: -q4_k_m
        (r"(?<=\d)[_p](?=\d)", "."),  # 3_3 and v3p1 are versions
        (r"\bllama-v(?=\d)", "llama-"),
        (r"\b(v\d)-(\d)\b", r"\1.\2"),  # v0-1
        (r"\bqwen25\b", "qwen2.5"),  # as Lambda wrote it
    )
)
_CONTEXT_MARK = re.compile(r"\d{1,4}k|1m|2048|4096|8192|16384|32768|65536|131072")
_MAKERS = {"meta", "openai", "cohere", "google", "nvidia", "mistralai", "liquid", "tencent",
           "bytedance", "featherless", "microsoft", "unsloth"}  # fmt: skip

_SPELLED = {
    "ai": "AI", "allam": "ALLaM", "awq": "AWQ", "bf16": "BF16", "bge": "BGE", "chatdolphin":
    "ChatDolphin", "codellama": "CodeLlama", "deepcoder": "DeepCoder", "deephermes": "DeepHermes",
    "deepseek": "DeepSeek", "exaone": "EXAONE", "fp8": "FP8", "fp16": "FP16", "glm": "GLM",
    "gpt": "GPT", "int8": "INT8", "it": "Instruct", "lfm": "LFM", "lfm2": "LFM2", "llava": "LLaVA",
    "lora": "LoRA", "mimo": "MiMo", "minimax": "MiniMax", "mythomax": "MythoMax", "olmo": "OLMo",
    "olympiccoder": "OlympicCoder", "openchat": "OpenChat", "openhermes": "OpenHermes",
    "oss": "OSS", "qwq": "QwQ", "sqlcoder": "SQLCoder", "tinyllama": "TinyLlama", "tts": "TTS",
    "ui": "UI", "vl": "VL", "wizardlm": "WizardLM",
}  # fmt: skip
_KEPT = 10_000  # ids and names whose reading is kept: a refresh meets the same ones each time
_GLUED_VERSION = re.compile(r"([a-z]{3,})(\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class Naming:
    """What an id says. `family` is "" and sizes are None where it does not say."""

    name: str
    family: str
    params_b: float | None
    active_params_b: float | None
    modality: str
    specialties: tuple[str, ...]


@lru_cache(maxsize=_KEPT)
def parse(external_id: str) -> Naming:
    """Name, family, size, modality and specialties as far as the id tells; never raises."""
    words = _words(external_id)
    lowered = _split_versions(words)
    params_b, active_params_b = sizes(external_id)
    modality = modality_of(lowered)
    return Naming(
        name=_spell(words) or "Unnamed model",
        family=family_of(lowered)[:60],
        params_b=params_b,
        active_params_b=active_params_b,
        modality=modality,
        specialties=specialties_of(lowered, modality),
    )


def sizes(external_id: str) -> tuple[float | None, float | None]:
    """Total and active parameters in billions, as written in the id."""
    words = [word.lower() for word in _words(external_id)]
    active = next(
        (_number(m[1]) for w in words if (m := re.fullmatch(r"a(\d+(?:\.\d+)?)b", w))), None
    )
    for here, after in pairwise([*words, ""]):
        if found := _mixture(here, after):
            return found
    for word in words:
        if (total := _billions(word)) is not None:
            return total, active
    return _millions(words), active


@lru_cache(maxsize=_KEPT)
def model_slug(name: str) -> str:
    """The identity of a model: equal for names that differ in case, spacing, maker or serving.

    "Llama 3.3 70B Instruct (FP8)", "Meta-Llama-3.3-70B-Instruct" and "Llama 3.3 70B" are one.
    """
    words = _split_versions([*_words(name.replace("+", " plus "))])
    while len(words) > 1 and words[0] in _MAKERS:
        words = words[1:]
    if words[:2] == ["qwen", "qwq"]:
        words = words[1:]
    kept = [word for word in _weights(words) if word not in _INSTRUCT]
    slug = "-".join(kept or words).replace(".", "-")
    slug = re.sub(r"[^a-z0-9-]", "", slug).strip("-")
    if slug and len(slug) <= MAX_NAME:
        return slug
    return "model-" + hashlib.sha256(name.encode(errors="replace")).hexdigest()[:16]


def _words(external_id: str) -> list[str]:
    """The id's last path segment, cut at its separators, without route tags and context marks."""
    segment = external_id.strip().rstrip("/").rpartition("/")[2]
    head, colon, tag = segment.partition(":")
    is_route = tag.lower() in _ROUTE_TAGS or _QUANTIZATION.fullmatch(tag.lower())
    text = head if is_route or not colon else f"{head}-{tag}"
    for pattern, plain in _REWRITES:
        text = pattern.sub(plain, text)
    words = [word.strip(".") for word in re.split(r"[^\w.]+|_", text)]
    return [word for word in words if word and not _CONTEXT_MARK.fullmatch(word.lower())]


def _weights(words: Sequence[str]) -> list[str]:
    """The words that name the weights, without those that only say how they are served."""
    kept: list[str] = []
    is_behind_size = False
    for place, word in enumerate(words):
        lowered = word.lower()
        is_serving = place > 0 and lowered in _SERVING
        if not is_serving and not (is_behind_size and lowered in _SERVING_BEHIND_SIZE):
            kept.append(word)
        is_behind_size = is_behind_size or _billions(lowered) is not None
    return kept or list(words)


def _split_versions(words: Sequence[str]) -> list[str]:
    """Lower-case, with versions cut off their names: "Qwen2.5" -> "qwen", "2.5"."""
    split: list[str] = []
    for word in words:
        glued = None if word.lower() in _SERVING else _GLUED_VERSION.fullmatch(word.lower())
        split.extend(glued.groups() if glued else [word.lower()])
    return split


def _mixture(here: str, after: str) -> tuple[float | None, float | None] | None:
    """8x7b, or 17b followed by 16e; None where the words are no mixture."""
    if product := re.fullmatch(r"(\d{1,3})x(\d+(?:\.\d+)?)b", here):
        experts, each = product.groups()
        nominal = _number(experts, times=_number(each) or 0)
        return _MIXTURES.get((experts, each), (nominal, None))
    of_experts = re.fullmatch(r"(\d+(?:\.\d+)?)bx?(\d{1,3})e", here + after)
    if of_experts:
        active, experts = of_experts.groups()
        return _EXPERTS.get((active, experts)), _number(active)
    return None


def _billions(word: str) -> float | None:
    """70b, 0.5b, 1t, and sizes glued to one letter as in Command R7B (not a3b, not e4b)."""
    if plain := re.fullmatch(r"[b-df-su-z]?(\d+(?:\.\d+)?)b", word):
        return _number(plain[1])
    if glued := re.fullmatch(r"(\d+)b(\d)", word):
        return _number(f"{glued[1]}.{glued[2]}")
    trillions = re.fullmatch(r"(\d+(?:\.\d+)?)t", word)
    return _number(trillions[1], times=1000) if trillions else None


def _millions(words: Sequence[str]) -> float | None:
    for word in words:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)m", word)
        number = _number(found[1]) if found else None
        if number is not None and number >= _SMALLEST_MILLIONS:
            return number / 1000
    return None


def _number(digits: str, *, times: float = 1) -> float | None:
    """A believable size: ids hold dates and hashes too."""
    value = float(digits) * times
    return value if 0 < value < _LARGEST_BELIEVABLE_B else None


def _spell(words: Sequence[str]) -> str:
    """Words as people write them, serving marks left out."""
    kept = _weights(words)
    if len(kept) > 1 and kept[0].lower() == "meta":
        kept = kept[1:]
    name = " ".join(_spell_word(word) for word in kept)
    return re.sub(r"\bGPT (?=OSS|\d)", "GPT-", name)[:MAX_NAME].strip()


def _spell_word(word: str) -> str:
    lowered = word.lower()
    if lowered in _SPELLED:
        return _SPELLED[lowered]
    if re.fullmatch(r"(?:a|e|r|\d+x)?\d+(?:\.\d+)?[bmt]|\d+e", lowered):
        return re.sub(r"X(?=\d)", "x", word.upper())
    if re.fullmatch(r"v\d+(?:\.\d+)*|\d.*|o\d", lowered):
        return lowered
    if word != lowered:
        return word
    glued = _GLUED_VERSION.fullmatch(lowered)
    if glued and glued[1] != "qwen":
        return f"{_spell_word(glued[1])} {glued[2]}"
    return word[:1].upper() + word[1:]
