"""The web process: Django, plus the services that live as long as it does."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "freellm_site.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from freellm_site.lifespan import Lifespan  # noqa: E402 - needs Django's apps
from freellm_site.services import SERVICES  # noqa: E402 - needs Django's apps

application = Lifespan(django_application, SERVICES)
