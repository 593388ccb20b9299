"""What lives as long as a web process: the engine, the live readers, the runs."""

from __future__ import annotations

from catalog.engine import serving
from freellm_site.lib.closing import hearing_of_the_end
from freellm_site.lifespan import Service
from monitoring.live import reading
from monitoring.samplers import watching
from monitoring.tuning.publishing import publishing
from playground.running import carrying

# Left in reverse: runs end while the engine still tells of them.
SERVICES: list[Service] = [
    hearing_of_the_end,
    serving,
    publishing,
    reading,
    watching,
    carrying,
]
