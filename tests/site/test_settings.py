"""Settings come from the environment; a wrong value stops the start and names its variable."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from redis import ConnectionPool

from freellm_site.lib.environment import BASE_DIR, redis_socket

SETTINGS = BASE_DIR / "freellm_site" / "settings.py"


def _load(**environment: str) -> subprocess.CompletedProcess[str]:
    """Load the settings in a process of its own and print what a test wants to see."""
    code = (
        "from django.conf import settings as s; "
        "print(s.DATABASES['default']['ENGINE'], s.CELERY_BROKER_URL, s.SECRET_KEY)"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "freellm_site.settings", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


# One or more wrong values for every variable of `.env.example`, and what the sentence must say.
# VAR_DIR is no wrong value before something is written there: tests/start/test_ground.py.
WRONG = [
    ("HOST", "not a host", "an address of this machine"),
    ("HOST", "http://127.0.0.1", "an address of this machine"),
    ("HOST", "", "an address of this machine"),
    ("PORT", "eighty", "a valid integer (it is eighty)"),
    ("PORT", "0", "between 1 and 65535"),
    ("PORT", "99999", "between 1 and 65535 (it is 99999)"),
    ("PUBLIC_URL", "freellm.example.org", "such as https://"),
    ("PUBLIC_URL", "https://", "such as https://"),
    ("PUBLIC_URL", "ftp://freellm.example.org", "such as https://"),
    ("PUBLIC_URL", "https://freellm.example.org/below", "such as https://"),
    ("PUBLIC_URL", "https://free llm.example.org", "such as https://"),
    ("PUBLIC_URL", "http://[::1", "such as https://"),
    ("PUBLIC_URL", "http://localhost:eighty", "such as https://"),
    ("ALLOWED_HOSTS", "https://freellm.example.org", "without scheme and port"),
    ("ALLOWED_HOSTS", "localhost:8000", "without scheme and port"),
    ("ALLOWED_HOSTS", "", "without scheme and port"),
    ("CSRF_TRUSTED_ORIGINS", "freellm.example.org", "with their scheme"),
    ("BEHIND_TLS", "perhaps", "a valid boolean (it is perhaps)"),
    ("SECRET_KEY_FILE", "/nowhere/key", "a readable file path"),
    ("FIELD_ENCRYPTION_KEYS", "hunter2", "a value that is not a Fernet key"),
    ("DATABASE_URL", "hunter2 is no url", "postgres://"),
    ("DATABASE_URL", "mysql://u:hunter2@localhost/freellm", "postgres://"),
    ("DATABASE_URL", "postgres://u:hunter2@localhost", "postgres://"),
    ("DATABASE_URL", "sqlite://:memory:", "postgres://"),
    ("REDIS_URL", "localhost:6379", "redis://host:6379/0"),
    ("REDIS_URL", "http://:hunter2@localhost", "redis://host:6379/0"),
    ("REDIS_URL", "redis://localhost:port", "redis://host:6379/0"),
    ("REDIS_URL", "unix://", "redis://host:6379/0"),
    ("CELERY_BROKER_URL", "rabbit", "amqp://"),
    ("CELERY_BROKER_URL", "kafka://u:hunter2@localhost", "amqp://"),
    ("CELERY_CONCURRENCY", "0", "between 1 and 64"),
    ("CATALOG_REFRESH_INTERVAL_S", "1", "60 or more"),
    ("CALL_RETENTION_DAYS", "-1", "1 or more"),
    ("ROLLUP_RETENTION_DAYS", "30", "90 or more"),
    ("SIMULATOR_PORT", "70000", "between 1 and 65535"),
    ("SIMULATOR_URL", "localhost:8001", "such as https://"),
    ("LOG_LEVEL", "LOUD", "one of"),
    ("LOG_FORMAT", "xml", "one of"),
    ("METRICS_TOKEN", "short", "16 or more"),
    ("TIME_ZONE", "Middle/Earth", "a time zone such as UTC"),
    ("DEBUG", "perhaps", "a valid boolean (it is perhaps)"),
]


def _refusal(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured) as refused:
        runpy.run_path(str(SETTINGS))
    return str(refused.value)


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_a_wrong_value_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    """It names the variable and the remedy; an address that may hold a password is not repeated."""
    sentence = _refusal(monkeypatch, name, value)
    assert name in sentence
    assert said in sentence
    assert "\n" not in sentence
    assert "hunter2" not in sentence


def test_every_variable_has_a_wrong_value() -> None:
    """A new one is tested as well."""
    tried = {name.removesuffix("_FILE") for name, _, _ in WRONG}
    assert tried | {"VAR_DIR"} == _variables_in_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "::1"),
        ("PORT", "65535"),
        ("PUBLIC_URL", "https://freellm.example.org:8443/"),
        ("PUBLIC_URL", "http://[::1]:8000"),
        ("ALLOWED_HOSTS", "*,.example.org,localhost,[::1],10.0.0.1"),
        ("CSRF_TRUSTED_ORIGINS", "https://*.example.org,http://localhost:8000"),
        ("DATABASE_URL", "postgres://u:p%40ss@[::1]:5432/freellm?sslmode=require"),
        ("REDIS_URL", "rediss://user:p%40ss@redis.example.org:6380/2"),
        ("CELERY_BROKER_URL", "amqp://u:p@localhost:5672//"),
    ],
)
def test_what_is_right_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """The checks refuse nonsense, not what is unusual."""
    monkeypatch.setenv(name, value)
    assert name in runpy.run_path(str(SETTINGS)) or name == "DATABASE_URL"


@pytest.mark.parametrize("folder", ["with space", "50%", "50%20off", "höhle", "what?", "number#1"])
def test_any_folder_may_hold_the_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str
) -> None:
    """Its name goes into addresses, where such signs mean something, and comes out the same."""
    var = tmp_path / folder
    monkeypatch.setenv("VAR_DIR", str(var))
    monkeypatch.delenv("REDIS_URL")
    loaded = runpy.run_path(str(SETTINGS))
    assert loaded["DATABASES"]["default"]["NAME"] == str(var / "freellm.sqlite3")
    pool = ConnectionPool.from_url(loaded["REDIS_URL"])
    assert pool.connection_kwargs["path"] == str(redis_socket(var))


def test_a_missing_secret_names_its_variable(tmp_path: object) -> None:
    """Without a secret nothing starts, and the message says how to get one."""
    done = _load(SECRET_KEY="", VAR_DIR=str(tmp_path))
    assert "SECRET_KEY is not set" in done.stderr
    assert "make run" in done.stderr


def test_a_secret_may_come_from_a_file(tmp_path: object) -> None:
    """NAME_FILE is honoured."""
    path = f"{tmp_path}/key"
    with open(path, "w") as file:  # noqa: PTH123 - a plain file is the point
        file.write("from-a-file")
    environment = {k: v for k, v in os.environ.items() if k != "SECRET_KEY"}
    done = subprocess.run(
        [sys.executable, "-c", "from django.conf import settings as s; print(s.SECRET_KEY)"],
        cwd=BASE_DIR,
        env={
            **environment,
            "DJANGO_SETTINGS_MODULE": "freellm_site.settings",
            "SECRET_KEY_FILE": path,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "from-a-file", done.stderr


def test_other_stores_are_one_variable_away() -> None:
    """PostgreSQL and RabbitMQ need nothing but their addresses."""
    done = _load(
        DATABASE_URL="postgres://u:p@localhost/freellm", CELERY_BROKER_URL="amqp://localhost//"
    )
    assert done.stdout.startswith("django.db.backends.postgresql amqp://localhost//"), done.stderr


def test_the_broker_is_the_embedded_redis_by_default() -> None:
    """Celery talks to the same socket as everything else."""
    assert " redis+socket:///" in _load(REDIS_URL="unix:///tmp/some/redis.sock").stdout


def _variables_in_settings() -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(SETTINGS.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            first = node.args[0] if node.args else None
            is_reader = re.fullmatch(r"env\.\w+|_secret", ast.unparse(node.func))
            if is_reader and isinstance(first, ast.Constant):
                names.add(str(first.value))
    return names | {"VAR_DIR"}


def test_the_example_lists_every_variable() -> None:
    """`.env.example` and the code name the same variables."""
    example = (BASE_DIR / ".env.example").read_text()
    assert set(re.findall(r"(?m)^# ([A-Z_]+)=(?!/path works)", example)) == _variables_in_settings()


def test_a_long_folder_still_has_a_short_socket(tmp_path: object) -> None:
    """Unix sockets refuse long paths, so a long VAR_DIR keeps its socket elsewhere."""
    assert len(str(redis_socket(Path("/v" * 100)))) < 100
    assert redis_socket(Path("/short")) == Path("/short/redis.sock")


def test_production_settings_pass_djangos_deploy_check() -> None:
    """The same settings file, behind TLS, leaves `check --deploy` nothing to say."""
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=BASE_DIR,
        env={
            **os.environ,
            "PUBLIC_URL": "https://freellm.example.org",
            "ALLOWED_HOSTS": "freellm.example.org",
            "SECRET_KEY": "long-and-made-up-" + "abcdefghijklmnopqrstuvwxyz0123456789" * 2,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_logs_can_be_json() -> None:
    """One object per line, with the time, the level, the logger and whatever was told with it."""
    code = (
        "import django, logging; django.setup(); "
        "logging.getLogger('gateway.x').warning('held %s', 'back', extra={'call_id': '7'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "freellm_site.settings",
            "LOG_FORMAT": "json",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    line = json.loads(done.stderr)
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "gateway.x", "held back")
    assert line["call_id"] == "7"
    assert line["at"] > 1e9
