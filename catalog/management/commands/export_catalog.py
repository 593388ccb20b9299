"""The catalog to standard output, as its page would export it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.http import QueryDict

from catalog.exporting import FORMS
from catalog.selection import select


class Command(BaseCommand):
    help = "Write the catalog's offers as Markdown, JSON or CSV."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=FORMS, default="md")
        parser.add_argument(
            "--filter",
            default="",
            metavar="QUERY",
            help="what stands behind ? in the catalog's address, such as 'tier=free&good=vision'",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        selection = select(QueryDict(options["filter"]))
        if selection.asked.notices:
            raise CommandError(" ".join(selection.asked.notices))
        lines, _ = FORMS[options["format"]]
        for line in lines(selection):
            self.stdout.write(line, ending="")
