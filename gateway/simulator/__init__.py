"""Simulated providers: an HTTP server with real dialects, headers, limits and scripted faults."""

from gateway.simulator.reading import ScenarioError
from gateway.simulator.scenario import (
    Fault,
    FaultKind,
    Scenario,
    SimModel,
    SimProvider,
    default_scenario,
)

__all__ = [
    "Fault",
    "FaultKind",
    "Scenario",
    "ScenarioError",
    "SimModel",
    "SimProvider",
    "default_scenario",
]
