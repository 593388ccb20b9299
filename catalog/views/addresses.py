"""The browser's address while parts of a list are swapped: Back takes back one step."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from django.http import HttpResponse

from freellm_site.lib.htmx import HtmxRequest

_Address = tuple[str, frozenset[tuple[str, str]]]
_SEARCH = {"q", "page"}  # another search begins on its first page


def tell_address(request: HtmxRequest, response: HttpResponse, query: str) -> None:
    """Have htmx show this page's address with `query` ("?" included).

    Each filter, order and page is a step of its own. Of a search only the first letters are, so
    that Back does not walk through a word letter by letter.
    """
    if not request.htmx or response.status_code != 200:  # noqa: PLR2004 - a refusal has none
        return
    before, now = _before(request), _read(request.path + query)
    is_same = before == now or _is_same_but_search(before, now)
    response["HX-Replace-Url" if is_same else "HX-Push-Url"] = request.path + query


def _before(request: HtmxRequest) -> _Address:
    try:
        return _read(request.htmx.current_url_abs_path or "")
    except ValueError:  # a header that is no address
        return _read("")


def _read(address: str) -> _Address:
    parts = urlsplit(address)
    return parts.path, frozenset(parse_qsl(parts.query))


def _is_same_but_search(before: _Address, now: _Address) -> bool:
    both_search = all("q" in dict(pairs) for _, pairs in (before, now))
    return both_search and _without_search(before) == _without_search(now)


def _without_search(address: _Address) -> _Address:
    path, pairs = address
    return path, frozenset(pair for pair in pairs if pair[0] not in _SEARCH)
