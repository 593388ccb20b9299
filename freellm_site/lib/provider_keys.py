"""Which variables may hold a provider's key, and what they hold."""

from __future__ import annotations

import tomllib
from pathlib import Path

from environs import FileAwareEnv


def provider_keys(env: FileAwareEnv, mapping: Path) -> dict[str, str]:
    """The values of every `env_var` and `extra_env` the mapping names, where one is set.

    A `NAME_FILE` is honoured, as for every setting. A missing mapping gives nothing: the
    catalog's own loader is the one that complains about it.
    """
    if not mapping.is_file():
        return {}
    providers = tomllib.loads(mapping.read_text(encoding="utf-8")).get("provider", [])
    names = {one.get(field, "") for one in providers for field in ("env_var", "extra_env")}
    found = {name: env.str(name, "").strip() for name in sorted(names) if name}
    return {name: value for name, value in found.items() if value}
