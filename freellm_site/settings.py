"""Every setting, read from the environment here and nowhere else.

A wrong or missing value stops start-up with the variable's name. `NAME_FILE` is honoured for
every NAME (a secret mounted as a file); `.env` in the project's folder is read first.
`.env.example` lists every variable, and a test holds the two together.
"""

from __future__ import annotations

from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from marshmallow.validate import OneOf, Range
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from freellm_site.lib import setting_checks
from freellm_site.lib.environment import (
    BASE_DIR,
    in_words,
    local_name,
    names_of,
    read_environment,
    redis_socket_url,
    sqlite_url,
    var_dir,
)
from freellm_site.lib.provider_keys import provider_keys

env = read_environment()


def _secret(name: str) -> str:
    """A secret from the environment, else the one that `make run` wrote under VAR_DIR."""
    value = env.str(name, "")
    written = VAR_DIR / "secrets" / name.lower()
    if not value and written.is_file():
        value = written.read_text().strip()
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set. Set it in the environment or in .env, or start with "
            "`make run`, which writes one under VAR_DIR."
        )
    return value


try:
    VAR_DIR = var_dir(env)
    DEBUG = env.bool("DEBUG", False)
    HOST = env.str("HOST", "127.0.0.1", validate=setting_checks.listen_address)
    PORT = env.int(
        "PORT", 8000, validate=Range(min=1, max=65535, error="Must be between {min} and {max}.")
    )
    LOCAL_URL = f"http://{local_name(HOST)}:{PORT}"
    PUBLIC_URL = env.str("PUBLIC_URL", LOCAL_URL, validate=setting_checks.web_address).rstrip("/")
    ALLOWED_HOSTS: list[str] = env.list(
        "ALLOWED_HOSTS", names_of(HOST), validate=setting_checks.host_names
    )
    CSRF_TRUSTED_ORIGINS: list[str] = env.list(
        "CSRF_TRUSTED_ORIGINS", [], validate=setting_checks.web_origins
    )
    BEHIND_TLS = env.bool("BEHIND_TLS", PUBLIC_URL.startswith("https://"))
    LOG_LEVEL = env.str(
        "LOG_LEVEL", "INFO", validate=OneOf(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
    )
    LOG_FORMAT = env.str("LOG_FORMAT", "text", validate=OneOf(["text", "json"]))
    METRICS_TOKEN = env.str("METRICS_TOKEN", "", validate=setting_checks.long_enough_or_empty)
    TIME_ZONE = env.str("TIME_ZONE", "UTC", validate=setting_checks.time_zone)

    SECRET_KEY = _secret("SECRET_KEY")
    FIELD_ENCRYPTION_KEYS: list[str] = _secret("FIELD_ENCRYPTION_KEYS").split(",")

    _database_url = env.str(
        "DATABASE_URL",
        sqlite_url(VAR_DIR / "freellm.sqlite3"),
        validate=setting_checks.database_address,
    )
    _database: Any = dj_database_url.parse(_database_url, conn_max_age=0)
    REDIS_URL = env.str(
        "REDIS_URL", redis_socket_url(VAR_DIR), validate=setting_checks.redis_address
    )
    _broker_default = REDIS_URL.replace("unix://", "redis+socket://", 1)
    CELERY_BROKER_URL = env.str(
        "CELERY_BROKER_URL", _broker_default, validate=setting_checks.broker_address
    )

    SIMULATOR_PORT = env.int(
        "SIMULATOR_PORT",
        min(PORT + 1, 65535),
        validate=Range(min=1, max=65535, error="Must be between {min} and {max}."),
    )
    SIMULATOR_URL = env.str(
        "SIMULATOR_URL",
        f"http://127.0.0.1:{SIMULATOR_PORT}",
        validate=setting_checks.web_address,
    ).rstrip("/")
    CATALOG_REFRESH_INTERVAL_S = env.int(
        "CATALOG_REFRESH_INTERVAL_S",
        3 * 3600,
        validate=Range(min=60, error="Must be {min} or more."),
    )
    CALL_RETENTION_DAYS = env.int(
        "CALL_RETENTION_DAYS", 90, validate=Range(min=1, error="Must be {min} or more.")
    )
    ROLLUP_RETENTION_DAYS = env.int(
        "ROLLUP_RETENTION_DAYS", 400, validate=Range(min=90, error="Must be {min} or more.")
    )
    CELERY_CONCURRENCY = env.int(
        "CELERY_CONCURRENCY",
        4,
        validate=Range(min=1, max=64, error="Must be between {min} and {max}."),
    )
    PROVIDER_KEYS_FROM_ENV = provider_keys(env, BASE_DIR / "catalog" / "data" / "providers.toml")
except ValueError as error:  # environs' errors, a NAME_FILE that is not there among them
    raise ImproperlyConfigured(in_words(error)) from error


def _check_encryption_keys() -> None:
    from cryptography.fernet import Fernet  # noqa: PLC0415 - only start-up needs it

    for key in FIELD_ENCRYPTION_KEYS:
        try:
            Fernet(key)
        except ValueError as error:
            raise ImproperlyConfigured(
                "FIELD_ENCRYPTION_KEYS holds a value that is not a Fernet key. Make one with: "
                "python -c 'from cryptography.fernet import Fernet as F; "
                "print(F.generate_key().decode())'"
            ) from error


_check_encryption_keys()

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "freellm_site",
    "freellm_site.accounts",
    "catalog",
    "playground",
    "monitoring",
]

MIDDLEWARE = [
    "freellm_site.health.ProbeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "freellm_site.middleware.BadInputMiddleware",
]

ROOT_URLCONF = "freellm_site.urls"
ASGI_APPLICATION = "freellm_site.asgi.application"
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:sign-in"
LOGIN_REDIRECT_URL = "/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "freellm_site.shell.shell",
            ],
        },
    },
]

# --- database ---------------------------------------------------------------------------------

if _database["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE takes the write lock at BEGIN, so that two writers queue for `timeout` seconds
    # instead of one of them failing in the middle of its transaction.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; "
            "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=134217728; "
            "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-16000;"
        ),
    }
    _database["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
DATABASES = {"default": _database}

# --- Redis: Django's cache framework (sessions, throttles, page fragments) ----------------------

CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "freellm:django",
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            # One timeout for the first to ask it in vain, none for the others.
            "REDIS_CLIENT_CLASS": "freellm_site.lib.redis_watch.WatchedRedis",
            "CONNECTION_POOL_KWARGS": {"retry": Retry(NoBackoff(), 1, (RedisConnectionError,))},
            "SOCKET_CONNECT_TIMEOUT": 0.5,
            "SOCKET_TIMEOUT": 0.5,
            # Redis away: a cache miss, not an error. Sessions then come from the database.
            "IGNORE_EXCEPTIONS": True,
        },
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_AGE = 14 * 24 * 3600
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- Celery -------------------------------------------------------------------------------------

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A page that queues a task must not hang while the broker is away: give up after about a second.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "interval_start": 0.1,
    "interval_step": 0.2,
    "interval_max": 0.5,
    "connect_retries_timeout": 1.0,
    "socket_connect_timeout": 1.0,
    "socket_timeout": 1.0,
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
# Each list has its own interval, so beat only looks, this often, whether one is due.
_LISTS_DUE_EVERY_S = min(60, CATALOG_REFRESH_INTERVAL_S // 60)
CELERY_BEAT_SCHEDULE = {
    "refresh the lists that are due": {
        "task": "catalog.tasks.refresh_all",
        "schedule": _LISTS_DUE_EVERY_S,
        "options": {"expires": _LISTS_DUE_EVERY_S},
    },
    "probe offers whose calls were refused": {
        "task": "catalog.tasks.probe_refused_offers",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "check keys of providers that were down": {
        "task": "catalog.tasks.recheck_down_keys",
        "schedule": 60,
        "options": {"expires": 60},
    },
    # Each model once a day; the runs between take up what was switched on or added meanwhile.
    "ask for the limits": {
        "task": "catalog.tasks.probe_limits_daily",
        "schedule": 1800,
        "options": {"expires": 1800},
    },
    "settle what a killed worker left": {
        "task": "catalog.tasks.settle",
        "schedule": 60,
        "options": {"expires": 60},
    },
    "prune old calls": {
        "task": "monitoring.tasks.prune_calls",
        "schedule": 24 * 3600,
        "options": {"expires": 3600},
    },
    "prune old changes of breakers": {
        "task": "monitoring.tasks.prune_breaker_events",
        "schedule": 24 * 3600,
        "options": {"expires": 3600},
    },
    "prune old records of tasks": {
        "task": "monitoring.tasks.prune_tasks",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "prune old sums of calls": {
        "task": "monitoring.tasks.prune_rollups",
        "schedule": 600,
        "options": {"expires": 600},
    },
}

# --- static files -------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "freellm_site.plotly_finder.PlotlyFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"},
}
SERVESTATIC_USE_MANIFEST = True

# --- security -----------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "freellm_site.error_pages.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = BEHIND_TLS
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# --- language, logs -----------------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "%(levelname).1s %(asctime)s %(name)s: %(message)s"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "{created}{levelname}{name}{message}{process}",
            "style": "{",
            "rename_fields": {"created": "at", "levelname": "level", "name": "logger"},
        },
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # httpx logs every address it calls; the engine already logs one line per call.
        "httpx": {"level": "WARNING"},
        # The server's own handlers know one form only.
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "uvicorn.access": {"handlers": [], "propagate": False},
        "django.request": {"level": "ERROR"},
    },
}
