"""Settings come from the environment; a wrong value stops the start and names its variable."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys

import pytest

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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("DEBUG", "perhaps"),
        ("LOG_LEVEL", "LOUD"),
        ("DATABASE_URL", "not a url"),
        ("CATALOG_REFRESH_INTERVAL_S", "0"),
        ("FIELD_ENCRYPTION_KEYS", "short"),
        ("TIME_ZONE", "Middle/Earth"),
        ("SECRET_KEY_FILE", "/nowhere/key"),
    ],
)
def test_a_wrong_value_names_its_variable(name: str, value: str) -> None:
    """Start-up stops, and the message says which variable is wrong."""
    done = _load(**{name: value})
    assert done.returncode != 0
    assert name in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "99999", "PORT must be between 1 and 65535 (it is 99999). See .env.example."),
        ("PORT", "eighty", "PORT is not a valid integer (it is eighty). See .env.example."),
        ("DEBUG", "perhaps", "DEBUG is not a valid boolean (it is perhaps). See .env.example."),
        (
            "DATABASE_URL",
            "not a hunter2 address",
            "DATABASE_URL is not the address of a database. See .env.example.",
        ),
    ],
)
def test_a_wrong_value_is_told_in_one_sentence(name: str, value: str, said: str) -> None:
    """In words, with the value; an address that may hold a password is not repeated."""
    last = _load(**{name: value}).stderr.splitlines()[-1]
    assert last == f"django.core.exceptions.ImproperlyConfigured: {said}"


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
    from pathlib import Path

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
