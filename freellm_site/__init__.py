"""The Django project: settings, addresses, processes. Wires the rooms together."""

from freellm_site.celery import app as celery_app

__all__ = ["celery_app"]
