"""Sets the environment before Django reads it: each test process has its own VAR_DIR and Redis."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# Short, because a unix socket's path may have no more than 107 characters.
VAR_DIR = tempfile.mkdtemp(prefix="flt")
os.mkdir(os.path.join(VAR_DIR, "static"))  # noqa: PTH102, PTH118 - nothing is collected for tests
atexit.register(shutil.rmtree, VAR_DIR, ignore_errors=True)

os.environ.update(
    VAR_DIR=VAR_DIR,
    SECRET_KEY="only-for-tests-" + "x" * 40,
    # Made up: 32 zero bytes, in base64.
    FIELD_ENCRYPTION_KEYS="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    REDIS_URL=f"unix://{VAR_DIR}/redis.sock",
)
for name in ("DATABASE_URL", "CELERY_BROKER_URL", "DEBUG", "HOST", "PORT", "PUBLIC_URL"):
    os.environ.pop(name, None)
