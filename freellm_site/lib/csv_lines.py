"""Lines of CSV that a spreadsheet reads and does not run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable


def csv_line(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([_harmless(value) for value in values])
    return line.getvalue()


def _harmless(value: object) -> object:
    """A spreadsheet runs a text that begins like a formula."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
