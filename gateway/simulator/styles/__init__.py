"""Whose habits a simulated provider copies: rate headers, error bodies, model lists."""

from gateway.simulator.styles.base import Problem, ProblemKind, Reply, Style, View
from gateway.simulator.styles.cerebras import CerebrasStyle
from gateway.simulator.styles.cohere import CohereStyle
from gateway.simulator.styles.gemini import GeminiStyle
from gateway.simulator.styles.groq import GroqStyle
from gateway.simulator.styles.mistral import MistralStyle
from gateway.simulator.styles.nlpcloud import NLPCloudStyle
from gateway.simulator.styles.openrouter import OpenRouterStyle
from gateway.simulator.styles.sambanova import SambaNovaStyle

STYLES: dict[str, Style] = {
    "openai": Style(),
    "groq": GroqStyle(),
    "cerebras": CerebrasStyle(),
    "mistral": MistralStyle(),
    "openrouter": OpenRouterStyle(),
    "sambanova": SambaNovaStyle(),
    "cohere": CohereStyle(),
    "gemini": GeminiStyle(),
    "nlpcloud": NLPCloudStyle(),
}

__all__ = ["STYLES", "Problem", "ProblemKind", "Reply", "Style", "View"]
