"""The addresses of monitoring; included at the site's root, because the overview is its."""

from __future__ import annotations

from django.urls import path, re_path

from monitoring import views

app_name = "monitoring"

urlpatterns = [
    path("", views.overview, name="overview"),
    path("getting-started/dismiss/", views.dismiss_first_steps, name="dismiss-first-steps"),
    path("metrics", views.metrics, name="metrics"),
    path("monitoring/", views.traffic, name="traffic"),
    path("monitoring/standing/", views.traffic_standing, name="traffic-standing"),
    path("monitoring/rows/", views.traffic_rows, name="traffic-rows"),
    path("monitoring/figures/", views.traffic_figures, name="traffic-figures"),
    path("monitoring/live/", views.live_events, name="live"),
    path("monitoring/live/<slug:page>/", views.live_events, name="live-page"),
    path("monitoring/cache/", views.cache, name="cache"),
    path("monitoring/cache/figures.csv", views.cache_figures, name="cache-figures"),
    path("monitoring/cache/clear/", views.cache_clear, name="cache-clear"),
    path("monitoring/cache/warm/", views.cache_warm, name="cache-warm"),
    path("monitoring/cache/<slug:kind>/", views.cache_entries, name="cache-entries"),
    path("monitoring/cache/<slug:kind>/<slug:name>/", views.cache_entry, name="cache-entry"),
    path("monitoring/breakers/", views.breakers, name="breakers"),
    path("monitoring/breakers/breaker/", views.breaker_detail, name="breaker-detail"),
    path("monitoring/breakers/force/", views.breaker_force, name="breaker-force"),
    path("monitoring/limits/", views.limits, name="limits"),
    path("monitoring/limits/quota/", views.limit_detail, name="limit-detail"),
    path("monitoring/queue/", views.queue, name="queue"),
    path("monitoring/queue/figures.csv", views.queue_figures, name="queue-figures"),
    path("monitoring/queue/hold/", views.queue_hold, name="queue-hold"),
    path("monitoring/queue/release/", views.queue_release, name="queue-release"),
    path("monitoring/queue/call-off/", views.queue_call_off, name="queue-call-off"),
    path("monitoring/tasks/", views.tasks, name="tasks"),
    path("monitoring/tasks/history/", views.task_history, name="task-history"),
    path("monitoring/tasks/<int:pk>/revoke/", views.task_revoke, name="task-revoke"),
    path("monitoring/tasks/<int:pk>/retry/", views.task_retry, name="task-retry"),
    path("monitoring/calls/", views.call_list, name="call-list"),
    re_path(r"^monitoring/calls\.(?P<form>csv|jsonl)$", views.call_export, name="call-export"),
    path("monitoring/calls/<str:call_id>/", views.call_detail, name="call-detail"),
    path("monitoring/tuning/", views.tuning, name="tuning"),
    path("monitoring/tuning/preview/", views.tuning_preview, name="tuning-preview"),
    path("monitoring/tuning/save/", views.tuning_save, name="tuning-save"),
    path("monitoring/tuning/held/", views.tuning_held, name="tuning-held"),
    path("monitoring/tuning/what-if/", views.tuning_what_if, name="tuning-what-if"),
    path("monitoring/tuning/what-if/<slug:job>/", views.tuning_replay, name="tuning-replay"),
    path("monitoring/tuning/export.yaml", views.tuning_export, name="tuning-export"),
    path("monitoring/tuning/import/", views.tuning_import, name="tuning-import"),
    path("monitoring/tuning/history/", views.tuning_history, name="tuning-history"),
    path("monitoring/tuning/history/<int:pk>/undo/", views.tuning_undo, name="tuning-undo"),
]
