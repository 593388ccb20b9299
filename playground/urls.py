"""Addresses of the playground."""

from __future__ import annotations

from django.urls import path, re_path

from playground.views import asking, composing, keeping, pages

app_name = "playground"

urlpatterns = [
    path("", pages.home, name="home"),
    path("recommend/", composing.recommend, name="recommend"),
    path("send/", asking.send, name="send"),
    path("runs/<int:pk>/stream/", asking.stream, name="run-stream"),
    path("runs/<int:pk>/stop/", asking.stop, name="run-stop"),
    path("runs/<int:pk>/others/", asking.others, name="run-others"),
    path("runs/<int:pk>/retry/", asking.retry, name="run-retry"),
    path("history/", keeping.history, name="history"),
    path("<int:pk>/", pages.conversation, name="conversation"),
    path("<int:pk>/rename/", keeping.rename, name="rename"),
    path("<int:pk>/delete/", keeping.delete, name="delete"),
    # No more digits than an id can have: thousands are more than Python reads.
    re_path(r"^(?P<pk>[0-9]{1,18})/export\.(?P<form>md|json)$", keeping.export, name="export"),
]
