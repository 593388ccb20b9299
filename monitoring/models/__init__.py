"""Calls and their sums, what changed breakers, what people have tuned, and tasks."""

from __future__ import annotations

from monitoring.models.breakers import BreakerEvent
from monitoring.models.calls import ANSWERED_COURSES, CallRecord, Course
from monitoring.models.rollups import Rollup
from monitoring.models.tasks import ENDED, TaskRecord, TaskState
from monitoring.models.tuning import ChangeKind, Tuning, TuningChange, TuningStep

__all__ = [
    "ANSWERED_COURSES",
    "ENDED",
    "BreakerEvent",
    "CallRecord",
    "ChangeKind",
    "Course",
    "Rollup",
    "TaskRecord",
    "TaskState",
    "Tuning",
    "TuningChange",
    "TuningStep",
]
