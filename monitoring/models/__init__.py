"""Calls and their sums, what changed breakers, and what people have tuned."""

from __future__ import annotations

from monitoring.models.breakers import BreakerEvent
from monitoring.models.calls import ANSWERED_COURSES, CallRecord, Course
from monitoring.models.rollups import Rollup
from monitoring.models.tuning import ChangeKind, Tuning, TuningChange, TuningStep

__all__ = [
    "ANSWERED_COURSES",
    "BreakerEvent",
    "CallRecord",
    "ChangeKind",
    "Course",
    "Rollup",
    "Tuning",
    "TuningChange",
    "TuningStep",
]
