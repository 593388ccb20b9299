"""The Celery application: background refreshes and housekeeping."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "freellm_site.settings")

app = Celery("freellm", task_cls="monitoring.tasking.revocable:RevocableTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["catalog", "monitoring"])
