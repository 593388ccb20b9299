"""What lives as long as a web process: the engine, the recorder, the live reader."""

from __future__ import annotations

from catalog.engine import serving
from freellm_site.lifespan import Service
from monitoring.live import reading
from monitoring.recorder import recording

SERVICES: list[Service] = [serving, recording, reading]
