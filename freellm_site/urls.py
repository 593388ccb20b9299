"""The addresses of the whole site."""

from __future__ import annotations

from django.urls import include, path

from freellm_site import health, styleguide

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("", include("freellm_site.accounts.urls")),
    path("styleguide/", styleguide.styleguide, name="styleguide"),
    path("catalog/", include("catalog.urls")),
    path("playground/", include("playground.urls")),
    path("", include("monitoring.urls")),
]

handler400 = "freellm_site.error_pages.bad_request"
handler403 = "freellm_site.error_pages.permission_denied"
handler404 = "freellm_site.error_pages.page_not_found"
handler500 = "freellm_site.error_pages.server_error"
