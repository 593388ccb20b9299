"""Every task of the house: it does not begin once it was called off."""

from __future__ import annotations

from typing import Any

from celery import Task
from celery.exceptions import Ignore


class RevocableTask(Task):  # type: ignore[type-arg]  # celery knows them for types only
    """Celery's own revoking lives in the memory of workers that are there to hear of it."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from monitoring.tasking.recording import is_revoked  # noqa: PLC0415 - apps are not ready yet

        if self.request.id and not self.request.called_directly and is_revoked(self.request.id):
            raise Ignore
        return super().__call__(*args, **kwargs)
