"""The pages of monitoring; one module per page."""

from monitoring.views.breakers import breaker_detail, breaker_force, breakers
from monitoring.views.cache import (
    cache,
    cache_clear,
    cache_entries,
    cache_entry,
    cache_figures,
    cache_warm,
)
from monitoring.views.calls import call_detail, call_export, call_list
from monitoring.views.limits import limit_detail, limits
from monitoring.views.live import live_events
from monitoring.views.metrics import metrics
from monitoring.views.overview import dismiss_first_steps, overview
from monitoring.views.queue import (
    queue,
    queue_call_off,
    queue_figures,
    queue_hold,
    queue_release,
)
from monitoring.views.tasks import task_history, task_retry, task_revoke, tasks
from monitoring.views.traffic import traffic, traffic_figures, traffic_rows, traffic_standing
from monitoring.views.tuning import (
    tuning,
    tuning_held,
    tuning_history,
    tuning_preview,
    tuning_save,
    tuning_undo,
)
from monitoring.views.tuning_exchange import tuning_export, tuning_import
from monitoring.views.what_if import tuning_replay, tuning_what_if

__all__ = [
    "breaker_detail",
    "breaker_force",
    "breakers",
    "cache",
    "cache_clear",
    "cache_entries",
    "cache_entry",
    "cache_figures",
    "cache_warm",
    "call_detail",
    "call_export",
    "call_list",
    "dismiss_first_steps",
    "limit_detail",
    "limits",
    "live_events",
    "metrics",
    "overview",
    "queue",
    "queue_call_off",
    "queue_figures",
    "queue_hold",
    "queue_release",
    "task_history",
    "task_retry",
    "task_revoke",
    "tasks",
    "traffic",
    "traffic_figures",
    "traffic_rows",
    "traffic_standing",
    "tuning",
    "tuning_export",
    "tuning_held",
    "tuning_history",
    "tuning_import",
    "tuning_preview",
    "tuning_replay",
    "tuning_save",
    "tuning_undo",
    "tuning_what_if",
]
