"""What Django itself does not answer well: bad input, and a database that is busy."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import unquote_to_bytes

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from freellm_site.error_pages import (
    bad_request,
    database_busy,
    disk_full,
    is_database_busy,
    is_disk_full,
    method_not_allowed,
)

_METHOD_NOT_ALLOWED = 405

logger = logging.getLogger(__name__)


class BadInputMiddleware:
    """Answer in words: a 400 for NUL bytes and broken UTF-8 in the address, a 405 that is empty, a
    503 for a database that is busy.

    Databases refuse NUL bytes with an error of their own (PostgreSQL) or cut the text there;
    forms catch them field by field, addresses have nobody else.
    """

    async_capable = True
    sync_capable = True

    def __init__(
        self,
        get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]],
    ) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """A write that SQLite's lock or a full disk kept out is a 503: trying again helps."""
        if is_disk_full(error):
            logger.error("%s %s: the database's disk is full", request.method, request.path)
            return disk_full(request)
        if not is_database_busy(error):
            return None
        logger.warning("%s %s: the database was busy", request.method, request.path)
        return database_busy(request)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._acall(request)
        problem = _problem(request)
        if problem:
            return bad_request(request, BadRequest(problem))
        return _in_words(request, self.get_response(request))  # type: ignore[arg-type]  # not async

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        problem = _problem(request)
        if problem:
            return await sync_to_async(bad_request)(request, BadRequest(problem))
        response: HttpResponseBase = await self.get_response(request)  # type: ignore[misc]  # async
        if response.status_code == _METHOD_NOT_ALLOWED:
            return await sync_to_async(_in_words)(request, response)
        return response


def _in_words(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code != _METHOD_NOT_ALLOWED or getattr(response, "content", None):
        return response
    return method_not_allowed(request, response.headers.get("Allow", ""))


def _problem(request: HttpRequest) -> str:
    raw = unquote_to_bytes(request.META.get("QUERY_STRING", ""))
    raw += request.path.encode("utf-8", "surrogatepass")
    if b"\x00" in raw:
        return "The address holds a NUL byte. Remove it and try again."
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "The address is not valid UTF-8. Type it again rather than pasting it."
    return ""
