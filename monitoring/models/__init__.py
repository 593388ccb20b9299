"""Calls, and what people have tuned."""

from __future__ import annotations

from monitoring.models.calls import ANSWERED_COURSES, CallRecord, Course
from monitoring.models.tuning import ChangeKind, Tuning, TuningChange, TuningStep

__all__ = [
    "ANSWERED_COURSES",
    "CallRecord",
    "ChangeKind",
    "Course",
    "Tuning",
    "TuningChange",
    "TuningStep",
]
