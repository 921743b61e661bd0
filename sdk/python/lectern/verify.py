"""Verifies links as the edge does, for tests. In production the edge verifies.

>>> from lectern.verify import verify
>>> verify(link)["sub"]
's42'
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Any, cast

from lectern import MAX_LINK_AGE, MAX_LINK_BYTES, _claims, _keys, _urls
from lectern._types import Claims, LecternError

__all__ = ["verify"]


def verify(
    token: str | None,
    *,
    url: str | None = None,
    keys: str | None = None,
    now: int | datetime | None = None,
    max_link_age: int | timedelta = MAX_LINK_AGE,
) -> Claims:
    """Return the claims of a token, or of a URL with a token.

    The link must open this URL, or ``url`` if it is given. Raises LecternError if the link opens
    nothing.
    """
    ring = _keys.read(keys)
    now = _claims.read_now(now)
    max_link_age = _claims.read_bound("max_link_age", max_link_age)
    token = token if isinstance(token, str) else ""
    in_url = _urls.find_token(token)
    if in_url is not None:
        url = token if url is None else url
        token = in_url
    claims = _read_token(token, ring)
    _claims.check_expiry(claims["exp"], now, max_link_age)
    for earliest in (claims.get("nbf", 0), claims.get("iat", 0)):
        if earliest > now + 30:
            raise LecternError("not_yet_valid", f"the link is not valid before {earliest}")
    _claims.check_target(claims)
    if url is not None:
        _check_scope(claims["path"], url)
    return cast(Claims, {"use": "play", **claims})


def _read_token(token: str, ring: dict[str, bytes]) -> dict[str, Any]:
    """Return the claims of a token whose form and signature are right, at any time."""
    if len(token.encode("utf-8", "surrogatepass")) > MAX_LINK_BYTES:
        raise LecternError("link_too_long", f"the link is longer than {MAX_LINK_BYTES} bytes")
    parts = [_keys.decode(part) for part in token.split(".")]
    if len(parts) != 3 or parts[0] is None or parts[1] is None or parts[2] is None:
        raise LecternError("malformed", "the link is not a JWT of three base64url parts")
    kid = _check_header(_keys.read_json(parts[0]))
    # An unknown kid takes as long as a wrong signature.
    expected = _keys.mac(ring.get(kid) or next(iter(ring.values())), token[: token.rindex(".")])
    right = hmac.compare_digest(expected, parts[2])
    if kid not in ring:
        raise LecternError("unknown_key", f"no key has the link's kid `{kid}`")
    if not right:
        raise LecternError("bad_signature", "the signature is wrong")
    claims = _keys.read_json(parts[1])
    if not isinstance(claims, dict):
        raise LecternError("bad_claims", "the claims are not a JSON object")
    try:
        return _claims.check({name: _floor(name, value) for name, value in claims.items()})
    except LecternError as error:
        raise LecternError("bad_claims", f"a claim is wrong: {error}") from None


def _floor(name: str, value: Any) -> Any:
    """Return a time rounded down, and any other claim as it is."""
    is_time = name in ("exp", "nbf", "iat") and isinstance(value, _keys.Decimal)
    return value.floor if is_time else value


def _check_header(header: Any) -> str:
    """Return the ``kid`` of a correct header."""
    header = header if isinstance(header, dict) else {}
    kid, typ, crit = header.get("kid"), header.get("typ", "JWT"), header.get("crit", ["exp"])
    is_jwt = header.get("alg") == "HS256" and isinstance(typ, str) and typ.upper() == "JWT"
    is_list = isinstance(crit, list) and crit and all(isinstance(name, str) for name in crit)
    if not (is_jwt and is_list and isinstance(kid, str)):
        raise LecternError("bad_header", 'the header is not {"alg":"HS256","kid":…}')
    for name in crit:
        if name not in _claims.RULES:
            rule = f"the header's `crit` has the unknown name `{name}`"
            raise LecternError("unknown_critical", rule)
    return kid


def _check_scope(path: str, url: str) -> None:
    opened = _urls.read_path(_urls.split(url).path)
    if opened != path and not (path.endswith("/") and opened.startswith(path)):
        raise LecternError("wrong_scope", f"the link opens `{path}`, not `{opened}`")
