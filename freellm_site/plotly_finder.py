"""Serves plotly.js from the installed plotly package, so that no page asks another server."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.utils import matches_patterns
from django.core.files.storage import FileSystemStorage


def _package_data() -> Path:
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly is not installed; run `make install`")
    return Path(spec.origin).parent / "package_data"


class PlotlyFinder(BaseFinder):
    """Finds `plotly/plotly.min.js`, and nothing else of the package."""

    name = "plotly.min.js"

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.storage = FileSystemStorage(location=_package_data())
        self.storage.prefix = "plotly"  # type: ignore[attr-defined]  # collectstatic's protocol

    def check(self, **kwargs: object) -> list[object]:  # type: ignore[override]  # nothing to configure
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: object) -> str | list[str]:  # type: ignore[override]  # the stubs know only one of the two shapes
        found = [self.storage.path(self.name)] if path == f"plotly/{self.name}" else []
        return found if find_all else (found[0] if found else [])

    def list(self, ignore_patterns: object) -> object:  # type: ignore[override]  # a generator of pairs, as Django's own finders
        if not matches_patterns(self.name, ignore_patterns or []):  # type: ignore[arg-type]
            yield self.name, self.storage
