"""The simulated providers of most benchmarks: one model each, and more quota than is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.types import Target, parse_limits

MODEL = "wren-1b"
_RPM, _TPM = 1_000_000, 1_000_000_000


def provider(slug: str, faults: Sequence[str] = (), **fields: object) -> str:
    """In the scenario's TOML; `fields` of the provider are texts or numbers."""
    told = {"first_token_s": 0.0, "tokens_per_s": 1_000_000.0, **fields}
    return "".join(
        [
            f'[[providers]]\nslug = "{slug}"\nname = "Simulator {slug}"\n',
            *(f"{name} = {_toml(value)}\n" for name, value in told.items()),
            f"limits = {{ rpm = {_RPM}, tpm = {_TPM} }}\n",
            f'[[providers.models]]\nid = "{MODEL}"\nname = "Wren 1B"\ncontext_tokens = 131072\n',
            *(f"[[providers.faults]]\n{fault}\n" for fault in faults if fault),
        ]
    )


def scenario(name: str, *providers: str, seed: int = 1) -> str:
    return f'name = "{name}"\nseed = {seed}\n' + "".join(providers)


def target(url: str, slug: str, limits: Mapping[str, int] | None = None) -> Target:
    """Where the simulator at `url` has this provider."""
    return Target(
        provider=slug,
        model=MODEL,
        base_url=f"{url}/{slug}/v1",
        auth="none",
        limits=parse_limits({"rpm": _RPM, "tpm": _TPM, **(limits or {})}),
    )


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
