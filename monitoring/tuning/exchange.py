"""The tuned values as a YAML file, and back: read safely, bounded, mistakes by line and field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from gateway.policy import GROUPS, TUNABLES, Scope
from monitoring.tuning.changes import Edit, Values

MOST_BYTES = 200_000
_MOST_PROBLEMS = 10
_HEAD = """\
# FreeLLM's tuned values, in the policy's own units (fractions, bytes, seconds).
# What is not named here follows the level above: default, then provider, then offer.
"""


class UnreadableFile(ValueError):
    """Its text says, line by line, what is wrong and what was expected."""


@dataclass(frozen=True, slots=True)
class _Level:
    scope: Scope
    node: yaml.MappingNode


def as_yaml(values: Values) -> str:
    plain: dict[str, Any] = {}
    providers: dict[str, dict[str, Any]] = {}
    for scope, own in sorted(values.items()):
        if not scope.provider:
            plain["default"] = _grouped(own)
            continue
        level = providers.setdefault(scope.provider, {})
        if scope.model:
            level.setdefault("offers", {})[scope.model] = _grouped(own)
        else:
            level.update(_grouped(own))
    if providers:
        plain["providers"] = providers
    return _HEAD + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def from_yaml(text: str) -> Values:
    """Raises UnreadableFile. Bounds are checked here, contradictions where it is saved."""
    if len(text.encode()) > MOST_BYTES:
        raise UnreadableFile(f"The file is larger than {MOST_BYTES // 1000} kB.")
    root = _composed(text)
    reader = _Reader()
    values = reader.read(root)
    if reader.problems:
        more = len(reader.problems) - _MOST_PROBLEMS
        told = reader.problems[:_MOST_PROBLEMS] + ([f"And {more} more."] if more > 0 else [])
        raise UnreadableFile("\n".join(told))
    return values


def edits_between(now: Values, wanted: Values) -> list[Edit]:
    """All it takes to make `now` what the file says; what it does not name is reset."""
    names = {
        (scope, name) for values in (now, wanted) for scope in values for name in values[scope]
    }
    return [
        Edit(scope, name, wanted.get(scope, {}).get(name))
        for scope, name in sorted(names)
        if wanted.get(scope, {}).get(name) != now.get(scope, {}).get(name)
    ]


def _grouped(own: Mapping[str, float]) -> dict[str, object]:
    groups: dict[str, dict[str, float]] = {}
    for name in TUNABLES:
        if name in own:
            group, _, field = name.partition(".")
            groups.setdefault(group, {})[field] = own[name]
    return dict(groups)


def _composed(text: str) -> yaml.MappingNode | None:
    """The nodes, which know their lines. Nothing is built from tags, and aliases are refused."""
    try:
        if any(isinstance(one, yaml.AliasEvent) for one in yaml.parse(text, yaml.SafeLoader)):
            raise UnreadableFile("The file uses aliases (*name): write each value out.")
        root = yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"Line {mark.line + 1}: " if mark else ""
        raise UnreadableFile(f"{where}This is not YAML. {getattr(error, 'problem', '')}") from error
    if root is None:
        return None
    if not isinstance(root, yaml.MappingNode):
        raise UnreadableFile("Line 1: “default:” or “providers:” was expected.")
    return root


class _Reader:
    """Gathers every mistake, so that a file is mended in one go."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def read(self, root: yaml.MappingNode | None) -> Values:
        values: Values = {}
        for level in self._levels(root):
            own = dict(self._fields(level))
            if own:
                values[level.scope] = own
        return values

    def _levels(self, root: yaml.MappingNode | None) -> Iterator[_Level]:
        for key, node in self._pairs(root):
            if key == "default":
                yield from self._level(Scope(), node)
            elif key == "providers":
                for slug, provider in self._pairs(node):
                    yield from self._level(Scope(slug), provider)
            else:
                self._complain(node, f"“{key}” is neither “default” nor “providers”.")

    def _level(self, scope: Scope, node: yaml.Node) -> Iterator[_Level]:
        if not isinstance(node, yaml.MappingNode):
            self._complain(node, f"{scope.label} must name groups, such as “limiter:”.")
            return
        yield _Level(scope, node)
        if not scope.provider or scope.model:
            return
        for key, below in self._pairs(node):
            if key == "offers":
                for model, offer in self._pairs(below):
                    yield from self._level(Scope(scope.provider, model), offer)

    def _fields(self, level: _Level) -> Iterator[tuple[str, float]]:
        for group, node in self._pairs(level.node):
            if group == "offers" and level.scope.provider and not level.scope.model:
                continue
            if group not in GROUPS:
                self._complain(node, f"“{group}” is no group. There are {', '.join(GROUPS)}.")
                continue
            for field, value in self._pairs(node):
                name = f"{group}.{field}"
                if (read := self._value(name, value)) is not None:
                    yield name, read

    def _value(self, name: str, node: yaml.Node) -> float | None:
        tunable = TUNABLES.get(name)
        if tunable is None:
            self._complain(node, f"{name} is no field of the policy.")
            return None
        plain = yaml.SafeLoader("").construct_object(node) if _is_number(node) else None
        value = tunable.typed(plain) if isinstance(plain, int | float) else plain
        if tunable.problem_with(value):
            kind = "a whole number" if tunable.kind is int else "a number"
            bounds = f"from {tunable.minimum:.12g} to {tunable.maximum:.12g} ({tunable.unit})"
            self._complain(node, f"{name} must be {kind} {bounds}, not {_text(node)}.")
            return None
        return value

    def _pairs(self, node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
        if node is None:
            return
        if not isinstance(node, yaml.MappingNode):
            self._complain(node, f"A mapping was expected, not {_text(node)}.")
            return
        seen = set()
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if not name or name in seen:
                self._complain(key, f"“{name}” stands twice." if name else "A name was expected.")
                continue
            seen.add(name)
            yield name, value

    def _complain(self, node: yaml.Node, message: str) -> None:
        self.problems.append(f"Line {node.start_mark.line + 1}: {message}")


def _is_number(node: yaml.Node) -> bool:
    return node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def _text(node: yaml.Node) -> str:
    return f"“{node.value[:40]}”" if isinstance(node, yaml.ScalarNode) else "something else"
