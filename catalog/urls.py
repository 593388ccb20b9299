"""The addresses of the catalog."""

from __future__ import annotations

from django.urls import path, re_path

from catalog.views import (
    api,
    browsing,
    changes,
    choices,
    comparing,
    endpoints,
    exports,
    held,
    keys,
    models,
    offers,
    providers,
    refreshes,
    tokens,
)

app_name = "catalog"

reading = [
    path("", browsing.browse, name="list"),
    path("compare/", comparing.compare_models, name="compare"),
    path("columns/", browsing.choose_columns, name="choose-columns"),
    path("models/<slug:slug>/", models.model_detail, name="model-detail"),
    path("providers/", providers.provider_list, name="provider-list"),
    path("providers/<slug:slug>/", providers.provider_detail, name="provider-detail"),
    re_path(r"^export\.(?P<form>json|csv|md)$", exports.export, name="export"),
    path("changes/", changes.change_list, name="change-list"),
    path("changes.atom", changes.change_feed, name="change-feed"),
    path("api/offers/", api.offers, name="api-offers"),
    path("tokens/", tokens.token_list, name="token-list"),
    path("tokens/add/", tokens.token_add, name="token-add"),
    path("tokens/<int:pk>/revoke/", tokens.token_revoke, name="token-revoke"),
    path("choices/<slug:kind>/<int:pk>/", choices.choice_page, name="choices"),
]

refreshing = [
    path("refresh/", refreshes.refresh, name="refresh"),
    path("refreshes/<int:pk>/", refreshes.refresh_detail, name="refresh-detail"),
    path(
        "providers/<slug:slug>/refresh-interval/",
        refreshes.refresh_interval,
        name="refresh-interval",
    ),
    path("held-lists/<int:pk>/apply/", held.held_apply, name="held-apply"),
    path("held-lists/<int:pk>/dismiss/", held.held_dismiss, name="held-dismiss"),
]

switches = [
    path("providers/simulator/switch/", providers.simulator_switch, name="simulator-switch"),
    path("providers/<slug:slug>/switch/", providers.provider_switch, name="provider-switch"),
    path(
        "providers/<slug:slug>/limit-probe/",
        providers.limit_probe_switch,
        name="limit-probe-switch",
    ),
    path("choices/<slug:kind>/<int:pk>/choose/", choices.choose, name="choose"),
    path("choices/<int:pk>/take-back/", choices.choice_take_back, name="choice-take-back"),
    path("offers/switch/", offers.offers_switch, name="offers-switch"),
    path("offers/<int:pk>/hide/", offers.offer_hide, name="offer-hide"),
    path("offers/<int:pk>/show/", offers.offer_show, name="offer-show"),
]

provider_keys = [
    path("providers/<slug:slug>/keys/add/", keys.add_key, name="key-add"),
    path(
        "providers/<slug:slug>/keys/environment/check/",
        keys.check_environment_key,
        name="environment-key-check",
    ),
    path("providers/keys/<int:pk>/check/", keys.recheck_key, name="key-check"),
    path("providers/keys/<int:pk>/switch/", keys.key_switch, name="key-switch"),
    path("providers/keys/<int:pk>/remove/", keys.key_remove, name="key-remove"),
]

own_endpoints = [
    path("providers/own/add/", endpoints.endpoint_add, name="endpoint-add"),
    path("providers/own/<slug:slug>/edit/", endpoints.endpoint_edit, name="endpoint-edit"),
    path("providers/own/<slug:slug>/remove/", endpoints.endpoint_remove, name="endpoint-remove"),
]

urlpatterns = [*switches, *own_endpoints, *provider_keys, *reading, *refreshing]
