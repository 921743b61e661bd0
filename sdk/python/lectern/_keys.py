"""Keys of LECTERN_KEYS, their signatures (RFC 7515), base64url (RFC 4648 §5), and strict JSON."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
from typing import Any

from lectern._types import ErrorCode, LecternError


class Decimal(float):
    """A number with a fraction, rounded down by its digits: a float may be rounded up."""

    floor: int

    def __new__(cls, floor: int) -> Decimal:
        # `float(floor)` would overflow.
        value = super().__new__(cls)
        value.floor = floor
        return value


def read(text: str | None) -> dict[str, bytes]:
    """Return the secrets by kid, the signing key first."""
    ring: dict[str, bytes] = {}
    for entry in _read_entries(os.environ.get("LECTERN_KEYS", "") if text is None else text):
        kid, secret = entry["kid"], decode(entry["secret"])
        if kid in ring:
            raise LecternError("duplicate_kid", f"LECTERN_KEYS has the kid `{kid}` twice")
        if secret is None:
            rule = f"the secret of `{kid}` is not base64url without padding"
            raise LecternError("bad_secret", rule)
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", kid):
            raise LecternError("bad_kid", "a kid must be 1 to 64 characters of A-Za-z0-9._-")
        if not 32 <= len(secret) <= 1024:
            code: ErrorCode = "key_too_short" if len(secret) < 32 else "key_too_long"
            rule = f"the secret of `{kid}` has {len(secret)} bytes; it needs 32 to 1024"
            raise LecternError(code, rule)
        ring[kid] = secret
    return ring


def _read_entries(text: Any) -> list[dict[str, str]]:
    if not isinstance(text, str):
        raise LecternError("bad_keys", "`keys` must be the text of LECTERN_KEYS")
    if not text.strip():
        rule = "LECTERN_KEYS is not set: copy the edge's value, which `lectern keys new` prints"
        raise LecternError("no_keys", rule)
    entries = read_json(text)
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise LecternError("bad_keys", 'LECTERN_KEYS is not a JSON list of {"kid", "secret"}')
    if not entries:
        raise LecternError("no_keys", "LECTERN_KEYS is an empty list: run `lectern keys new`")
    return entries


def _is_entry(entry: Any) -> bool:
    is_pair = isinstance(entry, dict) and entry.keys() == {"kid", "secret"}
    return is_pair and all(isinstance(value, str) for value in entry.values())


def mac(secret: bytes, text: str) -> bytes:
    """Return the HMAC-SHA-256 of the text."""
    return hmac.digest(secret, text.encode(), hashlib.sha256)


def encode(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes | None:
    """Return the bytes of base64url without padding. Accept one spelling of each value."""
    if not re.fullmatch("[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return data if encode(data) == text else None


def read_json(text: str | bytes) -> Any:
    """Return the value of JSON without repeated members, at most 16 levels deep, or None.

    A negative number is None, because no claim is negative. A number with a fraction is a Decimal.
    """

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("repeated member")
        return found

    def constant(name: str) -> Any:
        raise ValueError(name)

    def is_deeper(value: Any, levels: int) -> bool:
        is_list = isinstance(value, list)
        inner = value.values() if isinstance(value, dict) else value if is_list else ()
        return levels < 0 or any(is_deeper(part, levels - 1) for part in inner)

    def whole(digits: str) -> int | None:
        return None if digits.startswith("-") else int(digits)

    def fraction(digits: str) -> Decimal | None:
        plain = re.fullmatch("([0-9]+)[.][0-9]+", digits)
        return Decimal(int(plain[1])) if plain else None

    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = json.loads(
            text,
            object_pairs_hook=members,
            parse_constant=constant,
            parse_int=whole,
            parse_float=fraction,
        )
        json.dumps(value, ensure_ascii=False).encode()
        return None if is_deeper(value, 16) else value
    except (ValueError, RecursionError):
        return None
