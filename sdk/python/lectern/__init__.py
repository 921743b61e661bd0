"""Mints and verifies links to lectures behind a Lectern edge. Standard library only.

    >>> from lectern import link
    >>> link("https://video.school.example/courses/rails/intro/master.m3u8", viewer="s42", expires_in=6 * 3600)
    'https://video.school.example/courses/rails/intro/master.m3u8?token=eyJ…'

The keys are the text that the edge has as LECTERN_KEYS, taken from the environment of that name; ``keys`` overrides it. The
first key mints, all verify. Times are whole seconds or a timedelta; instants are seconds since 1970 or a datetime with its
zone. A link that the edge would refuse whoever opens it is refused here, as a LecternError.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import math
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict, cast

__all__ = ["Claims", "ErrorCode", "LecternError", "key_ids", "link", "mint", "upload_link", "verify"]
__version__ = "0.1.0"

# What the edge has where its variables of these names are not set.
MAX_LINK_AGE = 30 * 86_400
MAX_WATCH = 86_400
EXPIRES_IN = 6 * 3600
MAX_LINK_BYTES = 4096

Use = Literal["play", "download", "upload", "admin"]
Claims = TypedDict(
    "Claims",
    {
        "path": str, "exp": int, "nbf": int, "iat": int, "use": Use, "sub": str, "jti": str, "watch": int, "max_height": int,
        "preview": "list[int]", "langs": "list[str]", "ip": "list[str]", "country": "list[str]", "origin": "list[str]",
    },
    total=False,
)  # fmt: skip

# Why a link is not minted, or opens nothing: the same in every language.
ErrorCode = Literal[
    "no_keys", "bad_keys", "bad_kid", "duplicate_kid", "bad_secret", "key_too_short", "key_too_long",
    "bad_option",
    "bad_url", "path_not_absolute", "path_empty_segment", "path_dot_segment", "path_encoded_separator", "path_backslash",
    "path_semicolon", "path_control", "path_bad_escape", "path_encoded_twice", "path_not_utf8", "path_too_long", "path_too_deep",
    "path_reserved", "path_not_a_folder", "path_not_a_playlist",
    "bad_exp", "bad_nbf", "bad_iat", "bad_use", "bad_sub", "bad_jti", "bad_watch", "bad_max_height", "bad_preview", "bad_langs",
    "bad_ip", "bad_country", "bad_origin", "unknown_claim", "reserved_claim",
    "expired", "exp_too_far", "watch_too_long", "link_too_long",
    "malformed", "bad_header", "unknown_critical", "unknown_key", "bad_signature", "bad_claims", "not_yet_valid", "wrong_scope",
]  # fmt: skip


class LecternError(ValueError):
    """What is wrong. ``code`` is stable, and the same in every language: key_too_short, exp_too_far, path_not_absolute …"""

    code: ErrorCode

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def link(
    url: str,
    *,
    viewer: str | None = None,
    expires_in: int | timedelta | None = None,
    expires_at: int | datetime | None = None,
    not_before: int | datetime | None = None,
    watch: int | timedelta | None = None,
    max_height: int | None = None,
    preview: Sequence[int] | None = None,
    langs: Sequence[str] | None = None,
    ip: Sequence[str] | None = None,
    country: Sequence[str] | None = None,
    origin: Sequence[str] | None = None,
    jti: str | None = None,
    use: Use = "play",
    directory: bool = False,
    keys: str | None = None,
    now: int | datetime | None = None,
    max_link_age: int | timedelta = MAX_LINK_AGE,
    max_watch: int | timedelta = MAX_WATCH,
) -> str:
    """The URL with ``?token=…`` in its query; an older token there is replaced.

    A URL that ends in a slash opens its folder; ``directory=True`` opens the folder that the object is in. ``watch``,
    ``max_height``, ``preview``, ``langs``, ``ip``, ``country``, ``origin`` and ``jti`` are the claims of these names.
    """
    parts = _url_parts(url)
    now = _now(now)
    claims = {
        "path": _object_path(parts[1], directory),
        "exp": _expiry(expires_in, expires_at, now),
        "nbf": _seconds(not_before),
        "use": use,
        "sub": viewer,
        "jti": jti,
        "watch": _seconds(watch),
        "max_height": max_height,
        "preview": preview,
        "langs": langs,
        "ip": ip,
        "country": country,
        "origin": origin,
    }
    return _with_token(parts, mint(claims, keys=keys, now=now, max_link_age=max_link_age, max_watch=max_watch))


def upload_link(
    url: str,
    *,
    viewer: str | None = None,
    expires_in: int | timedelta | None = None,
    expires_at: int | datetime | None = None,
    not_before: int | datetime | None = None,
    watch: int | timedelta | None = None,
    max_height: int | None = None,
    preview: Sequence[int] | None = None,
    langs: Sequence[str] | None = None,
    ip: Sequence[str] | None = None,
    country: Sequence[str] | None = None,
    origin: Sequence[str] | None = None,
    jti: str | None = None,
    directory: bool = False,
    keys: str | None = None,
    now: int | datetime | None = None,
    max_link_age: int | timedelta = MAX_LINK_AGE,
    max_watch: int | timedelta = MAX_WATCH,
) -> str:
    """As ``link``, to write below a folder: the URL ends in a slash, or ``directory=True``. It reads nothing."""
    given = locals()
    if not _object_path(_url_parts(url)[1], directory).endswith("/"):
        raise LecternError("path_not_a_folder", "an upload link opens a folder: end the URL in a slash, or set directory=True")
    return link(**given, use="upload")


def mint(
    claims: Mapping[str, Any],
    *,
    keys: str | None = None,
    now: int | datetime | None = None,
    max_link_age: int | timedelta = MAX_LINK_AGE,
    max_watch: int | timedelta = MAX_WATCH,
) -> str:
    """A token over claims of these names: {"path": "/courses/rails/", "exp": 1800000000, "sub": "s42"}. A None is left out."""
    kid, secret = next(iter(_keyring(keys).items()))
    now, max_link_age, max_watch = _now(now), _bound("max_link_age", max_link_age), _bound("max_watch", max_watch)
    given = claims if isinstance(claims, Mapping) else {}
    claims = {name: value for name, value in given.items() if value is not None}
    for name in claims:
        if name not in _CLAIMS:
            raise LecternError("unknown_claim", f"no claim is called `{name}`")
    _check_reserved(claims)
    checked = _check(claims)
    _check_opens(checked)
    _check_expiry(checked["exp"], now, max_link_age)
    if checked.get("watch", 0) > max_watch:
        raise LecternError("watch_too_long", f"`watch` is {checked['watch']} s, and the edge counts {max_watch} at most (MAX_WATCH)")
    if checked.get("use") == "play":
        del checked["use"]
    header = {"alg": "HS256", "typ": "JWT", "kid": kid}
    signed = ".".join(_encode(json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode()) for part in (header, checked))
    token = f"{signed}.{_encode(_mac(secret, signed))}"
    if len(token) > MAX_LINK_BYTES:
        raise LecternError("link_too_long", f"the link is longer than {MAX_LINK_BYTES} bytes")
    return token


def verify(
    token: str | None,
    *,
    url: str | None = None,
    keys: str | None = None,
    now: int | datetime | None = None,
    max_link_age: int | timedelta = MAX_LINK_AGE,
) -> Claims:
    """The claims of a token, or of a URL that has one, which then has to open that URL; ``url`` is what it has to open else."""
    ring = _keyring(keys)
    now, max_link_age = _now(now), _bound("max_link_age", max_link_age)
    token = token if isinstance(token, str) else ""
    in_url = _URL.fullmatch(token)
    parameters = (in_url[3] or "").split("&") if in_url else []
    found = next((parameter for parameter in parameters if parameter.startswith("token=")), None)
    if found is not None:
        url = token if url is None else url
        token = found[len("token=") :]
    claims = _claims_of(token, ring)
    _check_expiry(claims["exp"], now, max_link_age)
    for earliest in (claims.get("nbf", 0), claims.get("iat", 0)):
        if earliest > now + 30:
            raise LecternError("not_yet_valid", f"the link is not valid before {earliest}")
    _check_reserved(claims)
    _check_opens(claims)
    if url is not None:
        _check_scope(claims["path"], url)
    return cast(Claims, {"use": "play", **claims})


def key_ids(keys: str | None = None) -> list[str]:
    """The ids of the keys, the minting one first, as the edge's /_lectern/health says them. Raises where the keys are wrong."""
    return list(_keyring(keys))


def _keyring(text: str | None) -> dict[str, bytes]:
    text = os.environ.get("LECTERN_KEYS", "") if text is None else text
    if not isinstance(text, str):
        raise LecternError("bad_keys", "keys are a text: that of LECTERN_KEYS")
    if not text.strip():
        raise LecternError("no_keys", "LECTERN_KEYS is not set: it is the text that the edge has, which `lectern keys new` printed")
    entries = _json(text)
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and entry.keys() == {"kid", "secret"} and all(isinstance(value, str) for value in entry.values())
        for entry in entries
    ):
        raise LecternError("bad_keys", 'LECTERN_KEYS is not a JSON list of {"kid", "secret"}')
    if not entries:
        raise LecternError("no_keys", "LECTERN_KEYS is an empty list: `lectern keys new` prints a value")
    ring: dict[str, bytes] = {}
    for kid, secret in ((entry["kid"], _decode(entry["secret"])) for entry in entries):
        if kid in ring:
            raise LecternError("duplicate_kid", f"LECTERN_KEYS has the kid `{kid}` twice")
        if secret is None:
            raise LecternError("bad_secret", f"the secret of `{kid}` is not base64url without padding")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", kid):
            raise LecternError("bad_kid", "a kid is not 1 to 64 characters of A-Za-z0-9._-")
        if not 32 <= len(secret) <= 1024:
            code: ErrorCode = "key_too_short" if len(secret) < 32 else "key_too_long"
            raise LecternError(code, f"the secret of `{kid}` has {len(secret)} bytes; it needs 32 to 1024")
        ring[kid] = secret
    return ring


# RFC 3986, taken apart as text, so that what is not the token stays as it was.
_URL = re.compile(
    r"(https?://[^/?#\\\x00-\x20\x7f]+)(/[^?#]*|)(?:\?([^#\x00-\x20\x7f]*))?(?:#([^\x00-\x20\x7f]*))?", re.IGNORECASE | re.ASCII
)


def _url_parts(url: str) -> tuple[str, str, str | None, str | None]:
    parts = _URL.fullmatch(url) if _is_text(url) else None
    if parts is None:
        raise LecternError("bad_url", "not a URL of an edge: it begins with https:// or http://, without spaces in host and query")
    return parts[1], parts[2], parts[3], parts[4]


def _with_token(parts: tuple[str, str, str | None, str | None], token: str) -> str:
    origin, path, query, fragment = parts
    escaped = re.sub(rb"[^A-Za-z0-9\-._~!$&'()*+,=:@/%]", lambda byte: b"%%%02X" % byte[0][0], path.encode()).decode()
    kept = [part for part in (query.split("&") if query else []) if part != "token" and not part.startswith("token=")]
    return f"{origin}{escaped}?{'&'.join([*kept, f'token={token}'])}{'' if fragment is None else '#' + fragment}"


def _object_path(path: str, directory: bool) -> str:
    """What a URL's path names, decoded once."""
    if not isinstance(directory, bool):
        raise LecternError("bad_option", "`directory` is True or False")
    if not path.startswith("/"):
        raise _bad_path("path_not_absolute")
    folder = len(path) > 1 and path.endswith("/")
    encoded = path[1 : -1 if folder else None].encode()
    if len(encoded) > 3 * 1024:
        raise _bad_path("path_too_long")

    def byte(escape: re.Match[bytes]) -> bytes:
        if escape[1] is None:
            raise _bad_path("path_bad_escape")
        decoded = bytes([int(escape[1], 16)])
        if decoded in b"/\\":
            raise _bad_path("path_encoded_separator")
        return decoded

    try:
        key = re.sub(rb"%([0-9A-Fa-f]{2})?", byte, encoded).decode()
    except UnicodeDecodeError:
        raise _bad_path("path_not_utf8") from None
    decoded = _check_path(f"/{key}{'/' if folder else ''}")
    return _check_path(decoded[: decoded.rindex("/") + 1]) if directory and not folder else decoded


_PATHS: dict[ErrorCode, str] = {
    "path_not_absolute": "does not start with a slash",
    "path_empty_segment": "has an empty segment, or is the whole bucket",
    "path_dot_segment": "has a `.` or `..` segment",
    "path_encoded_separator": "has an encoded slash or backslash",
    "path_backslash": "has a backslash",
    "path_semicolon": "has a semicolon",
    "path_control": "has a control character",
    "path_bad_escape": "has a percent sign without two hexadecimal digits",
    "path_encoded_twice": "is percent-encoded twice",
    "path_not_utf8": "is not UTF-8",
    "path_too_long": "is longer than 1024 bytes",
    "path_too_deep": "is over 255 folders deep",
    "path_reserved": "is the edge's own: `/_lectern/`, and what begins with `/~`",
}


def _bad_path(code: ErrorCode) -> LecternError:
    return LecternError(code, f"the path {_PATHS[code]}; it is `/folder/object`, or `/folder/` for everything in it")


def _check_path(path: Any) -> str:
    if not isinstance(path, str) or not path.startswith("/"):
        raise _bad_path("path_not_absolute")
    if not _is_text(path):
        raise _bad_path("path_not_utf8")
    key = path[1:].removesuffix("/")
    if len(key.encode()) > 1024:
        raise _bad_path("path_too_long")
    if "\\" in key:
        raise _bad_path("path_backslash")
    if ";" in key:
        raise _bad_path("path_semicolon")
    if re.search("[\x00-\x1f\x7f-\x9f]", key):
        raise _bad_path("path_control")
    if re.search("%[0-9A-Fa-f]{2}", key):
        raise _bad_path("path_encoded_twice")
    for segment in key.split("/"):
        if segment == "":
            raise _bad_path("path_empty_segment")
        if segment in (".", ".."):
            raise _bad_path("path_dot_segment")
    return path


# What a link with restrictions never opens, whatever is stored there: what these extensions name is sent as it is.
_NO_PLAYLIST = re.compile(
    r"\.(m4s|mp4|cmfv|m4v|m4a|cmfa|ts|aac|mp3|webm|mov|mkv|vtt|mpd|json|jpe?g|png|webp|avif|gif)", re.IGNORECASE | re.ASCII
)


def _check_reserved(claims: Mapping[str, Any]) -> None:
    """Restrictions that the edge does not enforce yet."""
    for name in ("sessions", "max_bytes"):
        if name in claims:
            raise LecternError("reserved_claim", f"`{name}` is reserved: the edge refuses a link that has it")


def _check_opens(claims: Mapping[str, Any]) -> None:
    """What is well-formed, and opens nothing at the edge."""
    path = claims["path"]
    if path.startswith(("/_lectern/", "/~")):
        raise _bad_path("path_reserved")
    if path.count("/") > 256:
        raise _bad_path("path_too_deep")
    is_restricted = not claims.keys().isdisjoint(("max_height", "preview", "langs"))
    if is_restricted and claims.get("use") != "upload" and _NO_PLAYLIST.fullmatch(path, max(path.rfind("."), 0)):
        rule = "a link with max_height, preview or langs opens playlists: link to the `.m3u8`, or to its folder"
        raise LecternError("path_not_a_playlist", rule)


def _expiry(lasts: Any, at: Any, now: int) -> Any:
    if lasts is not None and at is not None:
        raise LecternError("bad_exp", "expires_in and expires_at are both set")
    if at is not None:
        return _seconds(at)
    lasts = _seconds(EXPIRES_IN if lasts is None else lasts)
    if not _is_whole(lasts):
        raise LecternError("bad_exp", "expires_in is a whole number of seconds, or a timedelta")
    return now + lasts


def _now(now: Any) -> int:
    now = time.time() if now is None else _seconds(now)
    now = math.floor(now) if isinstance(now, float) and math.isfinite(now) else now
    if _INSTANT(now) is None:
        raise LecternError("bad_option", "`now` is seconds since 1970, or a datetime with its zone")
    return int(now)


def _bound(name: str, value: Any) -> int:
    found = _INSTANT(_seconds(value))
    if found is None:
        raise LecternError("bad_option", f"`{name}` is a whole number of seconds, or a timedelta")
    return int(found)


def _seconds(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value // timedelta(seconds=1)
    if isinstance(value, datetime):
        # One without its zone would be read in whatever zone the server is in.
        return None if value.tzinfo is None else int(value.timestamp())
    return value


def _check_expiry(exp: int, now: int, max_link_age: int) -> None:
    if exp < now:
        raise LecternError("expired", f"the link expired at {exp}; it is {now}")
    if exp - now > max_link_age:
        raise LecternError("exp_too_far", f"the link expires more than {max_link_age} s ahead (MAX_LINK_AGE)")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(least: int, most: int) -> Callable[[Any], Any]:
    return lambda value: value if _is_whole(value) and least <= value <= most else None


def _label(value: Any) -> Any:
    return value if _is_text(value) and 1 <= len(value.encode()) <= 256 else None


def _preview(value: Any) -> Any:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return None
    second = _whole(0, 2**32 - 1)
    return list(value) if all(second(part) is not None for part in value) and value[0] < value[1] else None


def _list(read: Callable[[str], str | None]) -> Callable[[Any], Any]:
    def entries(value: Any) -> Any:
        if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= 32:
            return None
        found = [read(entry) if _is_text(entry) else None for entry in value]
        return None if None in found else found

    return entries


def _matching(pattern: str) -> Callable[[str], str | None]:
    return lambda text: text if re.fullmatch(pattern, text) else None


def _country(code: str) -> str | None:
    return code.upper() if re.fullmatch("[A-Za-z][A-Za-z0-9]", code) else None


def _origin(origin: str) -> str | None:
    parts = re.fullmatch(r"([A-Za-z0-9.:\[\]+-]+)://(?:\*(?=\.))?([A-Za-z0-9.:\[\]+-]+)", origin)
    return f"{parts[1]}://{'*' if parts[2].startswith('.') else ''}{parts[2]}".lower() if parts else None


def _cidr(text: str) -> str | None:
    """RFC 4632, RFC 4291: no bit behind the prefix, no IPv4 address written as IPv6."""
    parts = re.fullmatch(r"([0-9A-Fa-f:.]+)(?:/([0-9]+))?", text)
    if parts is None:
        return None
    try:
        network = ipaddress.ip_network(f"{parts[1]}/{int(parts[2])}" if parts[2] else parts[1])
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv4Network):
        return str(network)
    if network.network_address.ipv4_mapped:
        return None
    # RFC 5952: the first of the longest runs of zeros is left out.
    groups = ":".join(f"{int(group, 16):x}" for group in network.network_address.exploded.split(":"))
    zeros = max(re.findall(r"\b0(?::0)+\b", groups), key=len, default=None)
    written = re.sub(f"(^|:){zeros}(:|$)", "::", groups, count=1) if zeros else groups
    return f"{written}/{network.prefixlen}"


_INSTANT = _whole(0, 2**53 - 1)
_SMALL = _whole(1, 2**32 - 1)
# Every claim in the order in which it is written: how it is read, and what it has to be.
_CLAIMS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "path": (_check_path, ""),
    "exp": (_INSTANT, "`exp` (expires_in, expires_at) is a whole number of seconds, or a datetime with its zone"),
    "nbf": (_INSTANT, "`nbf` (not_before) is a whole number of seconds since 1970, or a datetime with its zone"),
    "iat": (_INSTANT, "`iat` is a whole number of seconds since 1970"),
    "use": (lambda use: use if use in ("play", "download", "upload", "admin") else None, '`use` is "play", "download", "upload" or "admin"'),
    "sub": (_label, "`sub` (viewer) is a text of 1 to 256 bytes"),
    "jti": (_label, "`jti` is a text of 1 to 256 bytes"),
    "watch": (_whole(1, 2**53 - 1), "`watch` is a whole number of seconds, at least 1"),
    "max_height": (_SMALL, "`max_height` is a whole number of lines, at least 1"),
    "preview": (_preview, "`preview` is [from, to] in whole seconds, the first before the second"),
    "langs": (
        _list(_matching("[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*")),
        '`langs` is a list of 1 to 32 BCP 47 tags such as "en" or "pt-BR"',
    ),
    "ip": (_list(_cidr), '`ip` is a list of 1 to 32 ranges such as "192.0.2.0/24", without bits behind the prefix'),
    "country": (_list(_country), '`country` is a list of 1 to 32 ISO 3166 codes such as "DE"'),
    "origin": (_list(_origin), '`origin` is a list of 1 to 32 origins such as "https://*.school.example"'),
    "sessions": (_SMALL, "`sessions` is a whole number, at least 1"),
    "max_bytes": (_whole(1, 2**53 - 1), "`max_bytes` is a whole number of bytes, at least 1"),
}


def _check(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Claims in their order, each as the edge writes it."""
    checked: dict[str, Any] = {}
    for name, (read, rule) in _CLAIMS.items():
        if name not in claims and name not in ("path", "exp"):
            continue
        checked[name] = read(claims.get(name))
        if checked[name] is None:
            raise LecternError(cast(ErrorCode, f"bad_{name}"), rule)
    return checked


def _claims_of(token: str, ring: dict[str, bytes]) -> dict[str, Any]:
    """The claims of a token whose form and signature are right, whatever the time."""
    if len(token.encode("utf-8", "surrogatepass")) > MAX_LINK_BYTES:
        raise LecternError("link_too_long", f"the link is longer than {MAX_LINK_BYTES} bytes")
    parts = [_decode(part) for part in token.split(".")]
    if len(parts) != 3 or parts[0] is None or parts[1] is None or parts[2] is None:
        raise LecternError("malformed", "the link is not a JWT of three base64url parts")
    kid = _check_header(_json(parts[0]))
    # An unknown kid takes as long as a wrong signature.
    expected = _mac(ring.get(kid) or next(iter(ring.values())), token[: token.rindex(".")])
    right = hmac.compare_digest(expected, parts[2])
    if kid not in ring:
        raise LecternError("unknown_key", f"no key has the link's kid `{kid}`")
    if not right:
        raise LecternError("bad_signature", "the signature is wrong")
    claims = _json(parts[1])
    if not isinstance(claims, dict):
        raise LecternError("bad_claims", "the claims are no JSON object")
    try:
        return _check(claims)
    except LecternError as error:
        raise LecternError("bad_claims", f"the claims are not acceptable: {error}") from None


def _check_header(header: Any) -> str:
    """The ``kid`` of a header that says what it must."""
    ok = isinstance(header, dict) and header.get("alg") == "HS256" and isinstance(header.get("kid"), str)
    if ok and "typ" in header:
        ok = isinstance(header["typ"], str) and header["typ"].upper() == "JWT"
    if ok and "crit" in header:
        crit = header["crit"]
        ok = isinstance(crit, list) and len(crit) > 0 and all(isinstance(name, str) for name in crit)
    if not ok:
        raise LecternError("bad_header", 'the header is not {"alg":"HS256","kid":…}')
    for name in header.get("crit", ()):
        if name not in _CLAIMS:
            raise LecternError("unknown_critical", f"the header's `crit` lists `{name}`, which is not understood")
    kid: str = header["kid"]
    return kid


def _check_scope(path: str, url: str) -> None:
    opened = _object_path(_url_parts(url)[1], False)
    if opened != path and not (path.endswith("/") and opened.startswith(path)):
        raise LecternError("wrong_scope", f"the link opens `{path}`, and not `{opened}`")


def _is_text(value: Any) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _json(text: str | bytes) -> Any:
    """As the edge reads it: whole characters, no member twice, 16 levels at most. What is no whole number is no claim."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a member twice")
        return found

    def no_number(name: str) -> Any:
        raise ValueError(name)

    def is_deeper(value: Any, levels: int) -> bool:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return levels < 0 or any(is_deeper(part, levels - 1) for part in inner)

    def whole(digits: str) -> int | None:
        return None if digits.startswith("-") else int(digits)

    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = json.loads(text, object_pairs_hook=members, parse_constant=no_number, parse_int=whole)
        json.dumps(value, ensure_ascii=False).encode()
        return None if is_deeper(value, 16) else value
    except (ValueError, RecursionError):
        return None


def _mac(secret: bytes, text: str) -> bytes:
    return hmac.digest(secret, text.encode(), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    """Base64url without padding (RFC 4648 §5), in its one right spelling."""
    if not re.fullmatch("[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return data if _encode(data) == text else None
