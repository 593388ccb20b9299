"""Secrets at rest: Fernet with rotation.

The first of FIELD_ENCRYPTION_KEYS encrypts, all of them decrypt.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class CannotDecrypt(Exception):
    """None of FIELD_ENCRYPTION_KEYS opens this secret: the key that closed it was removed."""


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _current() -> MultiFernet:
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS))


def encrypt(plain: str) -> str:
    return _current().encrypt(plain.encode()).decode()


def decrypt(token: str) -> str:
    """Open what `encrypt` closed; raises CannotDecrypt."""
    try:
        return _current().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise CannotDecrypt from error


def rotate(token: str) -> str:
    """Close again with the first key; raises CannotDecrypt."""
    try:
        return _current().rotate(token.encode()).decode()
    except InvalidToken as error:
        raise CannotDecrypt from error


def fingerprint(plain: str) -> str:
    """A keyed hash: equal for equal secrets, useless to who reads the database."""
    return hmac.new(settings.SECRET_KEY.encode(), plain.encode(), hashlib.sha256).hexdigest()
