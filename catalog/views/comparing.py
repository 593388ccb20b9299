"""Up to four models side by side."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from catalog.comparing import MOST, compare


@require_safe
def compare_models(request: HttpRequest) -> HttpResponse:
    comparison = compare(request.GET)
    if request.GET.get("add") and not comparison.notices:
        address = reverse("catalog:compare")
        return redirect(f"{address}?models={','.join(comparison.slugs)}")
    only_different = "different" in request.GET
    context = {"comparison": comparison, "most": MOST, "only_different": only_different}
    return render(request, "catalog/compare.html", context)
