"""What a person is told after a button was pressed: a toast where htmx asked, else with a page."""

from __future__ import annotations

import json
from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from freellm_site.lib.htmx import HtmxRequest


def done(request: HttpRequest, text: str, url: str, *, is_error: bool = False) -> HttpResponse:
    if cast("HtmxRequest", request).htmx:
        toast = {"text": text, "tone": "error" if is_error else "success"}
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps({"toast": toast})})
    (messages.error if is_error else messages.success)(request, text)
    return HttpResponseRedirect(url)
