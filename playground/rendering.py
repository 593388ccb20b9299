"""Answers as safe HTML: Markdown without raw HTML, highlighted code, and only known tags."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import nh3
import pygments
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

# Highlighting takes time that grows with the text; nobody reads colours in more than this.
HIGHLIGHT_CHARACTERS = 20_000
# With odd code it grows with the square or worse, and holds up every other thread meanwhile: so
# each block has this much time of the processor, and a line or a gap (one step at worst) a length.
HIGHLIGHT_WITHIN_S = 0.25
HIGHLIGHT_LINE_CHARACTERS = 1_000
# Markdown too: an answer beyond this, and a single block beyond that, is shown as it came.
MARKDOWN_CHARACTERS = 100_000
BLOCK_CHARACTERS = 12_000
# Of a block that still grows beyond that, only its end is sent again and again.
GROWING_CHARACTERS = 2_000

_TAGS = {
    "a", "b", "blockquote", "br", "code", "del", "div", "em", "h2", "h3", "h4", "h5", "h6", "hr",
    "i", "li", "ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead",
    "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "code": {"class"},
    "div": {"class", "tabindex"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
}
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
    # Markers and quotation lines stand where the text begins; the style sheet turns paragraphs.
    set_tag_attribute_values={tag: {"dir": "auto"} for tag in ("blockquote", "ol", "ul")},
)


class _Renderer(RendererHTML):
    """Code highlighted; pictures as links, because a page may load nothing from outside."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        language = (tokens[idx].info.split() or [""])[0]
        return _code(tokens[idx].content, language)

    def code_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return _code(tokens[idx].content, "")

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        words = self.renderInlineAsText(token.children, options, env) or "picture"
        address = str(token.attrGet("src") or "")
        return f'<a href="{_escaped(address)}">{_escaped(words)}</a>'

    def heading_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return f"<h{_level(tokens[idx])}>"

    def heading_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return f"</h{_level(tokens[idx])}>\n"

    def table_open(self, *_: Any) -> str:
        return '<div class="scroll" tabindex="0"><table>\n'

    def table_close(self, *_: Any) -> str:
        return "</table></div>\n"


_MARKDOWN = MarkdownIt(
    "js-default",
    {"html": False, "maxNesting": 20, "linkify": False, "typographer": False},
    renderer_cls=_Renderer,
).disable("linkify", ignoreInvalid=True)
_FORMATTER = HtmlFormatter(nowrap=True)
_Coloured = tuple[Any, str]  # a kind of token, and the text


def render_markdown(text: str) -> SafeString:
    """The whole of an answer; one too long to be parsed in good time stands as plain text."""
    if len(text) > MARKDOWN_CHARACTERS:
        return _plain(text)
    return _cleaned(_MARKDOWN.render(text))


@dataclass(slots=True)
class GrowingAnswer:
    """Renders an answer while it grows, without doing again what can no longer change.

    A block is settled once the next one has begun; what is open is rendered anew each time.
    """

    settled: int = 0  # characters of the text that are settled

    def grow(self, text: str) -> tuple[SafeString, SafeString]:
        """The blocks that have settled since the last time, and the one that is open."""
        tail = text[self.settled :]
        if len(tail) > BLOCK_CHARACTERS:
            return mark_safe(""), _with_caret(_plain("… " + tail[-GROWING_CHARACTERS:]))
        start = _start_of_last_block(tail)
        if start:
            self.settled += start
        return (
            render_markdown(tail[:start]) if start else mark_safe(""),
            _with_caret(render_markdown(tail[start:])),
        )


def _plain(text: str) -> SafeString:
    return mark_safe(f'<pre tabindex="0">{_escaped(text)}</pre>')  # noqa: S308 - just escaped


def _start_of_last_block(text: str) -> int:
    """Where the last top-level block begins, in characters; 0 where there is only one."""
    starts = [token.map[0] for token in _MARKDOWN.parse(text) if token.level == 0 and token.map]
    if len(starts) < 2 or starts[-1] == 0:  # noqa: PLR2004 - the last one is still open
        return 0
    lines = text.split("\n")
    begun = lines[starts[-1]]
    if len(begun.strip()) < 4 and starts[-1] == len(lines) - 1:  # noqa: PLR2004
        return 0  # "1." or "-" may yet become an item of the list before it
    return sum(len(line) + 1 for line in lines[: starts[-1]])


def _with_caret(html: SafeString) -> SafeString:
    """The place where the next word will appear: inside the last paragraph or list item."""
    at = _LAST_TEXT.search(html)
    if at is None:
        return mark_safe(f"{html}{_CARET}")  # noqa: S308 - `html` was cleaned
    return mark_safe(f"{html[: at.start()]}{_CARET}{html[at.start() :]}")  # noqa: S308 - as above


def _cleaned(html: str) -> SafeString:
    clean = _CLEANER.clean(html)
    if _COPY_HERE not in clean:
        return mark_safe(clean)  # noqa: S308 - just cleaned
    # The copy button comes after cleaning: answers may contain no buttons.
    return mark_safe(clean.replace(_COPY_HERE, _copy_button()))  # noqa: S308 - just cleaned


_CARET = '<span class="caret"></span>'
_LAST_TEXT = re.compile(r"(?:\s*</(?:p|li|ul|ol|blockquote|h[1-6])>)+\s*\Z")
_COPY_HERE = '<span class="copy-here"></span>'


def _copy_button() -> str:
    return render_to_string("playground/_copy_button.html")


def _code(text: str, language: str) -> str:
    inside = _highlighted(text, language)
    return (
        f'<div class="code">{_COPY_HERE}<pre tabindex="0"><code class="highlight">{inside}'
        "</code></pre></div>\n"
    )


def _highlighted(text: str, language: str) -> str:
    if not language or len(text) > HIGHLIGHT_CHARACTERS or _is_endless(text):
        return _escaped(text)
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
        return pygments.format(_in_time(lexer.get_tokens(text)), _FORMATTER)
    except (ClassNotFound, _TooSlow):
        return _escaped(text)


class _TooSlow(Exception):
    """The time for highlighting is used up."""


_GAP = re.compile(r"\s{500}")


def _in_time(tokens: Iterable[_Coloured]) -> Iterator[_Coloured]:
    until_s = time.thread_time() + HIGHLIGHT_WITHIN_S
    for token in tokens:
        if time.thread_time() > until_s:
            raise _TooSlow
        yield token


def _is_endless(text: str) -> bool:
    lines = text.split("\n")
    return any(len(line) > HIGHLIGHT_LINE_CHARACTERS for line in lines) or bool(_GAP.search(text))


def _escaped(text: str) -> str:
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )


def _level(token: Token) -> int:
    """Headings of an answer stand below the page's h1 and its panels' h2."""
    return min(6, int(token.tag[1]) + 2)
