"""What every start does to the database and the static files before anything serves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pytest_django import Settings

from freellm_site.management.commands.prepare import collect_static
from tests.product import Product


def test_static_files_are_collected_again_only_when_they_changed(
    tmp_path: Path, settings: Settings
) -> None:
    """A second start hashes and compresses nothing; an edited file is seen."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.css").write_text("a {}")
    settings.STATICFILES_DIRS = [source]
    settings.STATIC_ROOT = tmp_path / "collected"

    assert collect_static()
    assert not collect_static()
    (source / "a.css").write_text("a { color: red }")
    assert collect_static()
    assert "red" in (tmp_path / "collected" / "a.css").read_text()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("postgres://nobody@127.0.0.1:1/nothing", "[Cc]onnection.*refused"),
        ("sqlite:////nowhere/at/all.sqlite3", "unable to open database file"),
    ],
)
def test_a_database_that_cannot_work_is_one_sentence(
    tmp_path: Path, address: str, reason: str
) -> None:
    """The start ends with the reason and the variable, without a traceback."""
    product = Product(tmp_path, DATABASE_URL=address)
    assert product.spawn().wait(timeout=60) == 1
    product.wait_for_line("DATABASE_URL")
    assert re.search(reason, "".join(product.output))
    assert len(product.output) == 1
