"""Mints links to lectures behind a Lectern edge. Needs the standard library only.

    >>> from lectern import link
    >>> link("https://video.school.example/courses/rails/intro/master.m3u8", viewer="s42")
    'https://video.school.example/courses/rails/intro/master.m3u8?token=eyJ…'

``keys`` takes the edge's LECTERN_KEYS. It defaults to LECTERN_KEYS of the environment. The first
key signs. Durations are whole seconds or a timedelta. Instants are seconds since 1970 or a datetime
with its zone. A link that the edge would refuse to every viewer raises LecternError.

Tests verify links with ``lectern.verify``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from lectern import _claims, _keys, _urls
from lectern._types import Claims, ErrorCode, FileKind, LecternError, SessionsPolicy, Use

__all__ = [
    "Claims", "ErrorCode", "LecternError", "download_url", "embed_url", "key_ids", "link", "mint",
    "poster_url", "upload_link",
]  # fmt: skip
__version__ = "0.1.0"

# Defaults of the edge's variables with the same names, in seconds.
MAX_LINK_AGE = 30 * 86_400
MAX_WATCH = 86_400
# Lifetime of a link without expires_in and expires_at, in seconds.
EXPIRES_IN = 6 * 3600
MAX_LINK_BYTES = 4096
# The edge opens no single object with these options.
_RESTRICTIONS = ("max_height", "preview", "langs")


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
    watermark: str | None = None,
    sessions: int | None = None,
    sessions_policy: SessionsPolicy | None = None,
    strict: bool | None = None,
    offline: int | timedelta | None = None,
    max_bytes: int | None = None,
    max_objects: int | None = None,
    types: Sequence[FileKind] | None = None,
    use: Use = "play",
    directory: bool = False,
    keys: str | None = None,
    now: int | datetime | None = None,
    max_link_age: int | timedelta = MAX_LINK_AGE,
    max_watch: int | timedelta = MAX_WATCH,
) -> str:
    """Return the URL with ``?token=…`` in its query, in place of an older token.

    A URL that ends in a slash opens its folder. ``directory=True`` opens the folder of the object.
    ``watch``, ``max_height``, ``preview``, ``langs``, ``ip``, ``country``, ``origin``, ``jti``,
    ``watermark``, ``sessions``, ``sessions_policy``, ``strict``, ``offline``, ``max_bytes``,
    ``max_objects`` and ``types`` set the claims of the same names.
    """
    parts = _urls.split(url)
    now = _claims.read_now(now)
    claims = {
        "path": _urls.read_path(parts.path, directory),
        "exp": _read_expiry(expires_in, expires_at, now),
        "nbf": _claims.read_seconds(not_before),
        "use": use,
        "sub": viewer,
        "jti": jti,
        "watermark": watermark,
        "watch": _claims.read_seconds(watch),
        "max_height": max_height,
        "preview": preview,
        "langs": langs,
        "ip": ip,
        "country": country,
        "origin": origin,
        "sessions": sessions,
        "sessions_policy": sessions_policy,
        "strict": strict,
        "offline": _claims.read_seconds(offline),
        "max_bytes": max_bytes,
        "max_objects": max_objects,
        "types": types,
    }
    token = mint(claims, keys=keys, now=now, max_link_age=max_link_age, max_watch=max_watch)
    return parts.with_token(token)


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
    watermark: str | None = None,
    sessions: int | None = None,
    sessions_policy: SessionsPolicy | None = None,
    strict: bool | None = None,
    offline: int | timedelta | None = None,
    max_bytes: int | None = None,
    max_objects: int | None = None,
    types: Sequence[FileKind] | None = None,
    directory: bool = False,
    keys: str | None = None,
    now: int | datetime | None = None,
    max_link_age: int | timedelta = MAX_LINK_AGE,
    max_watch: int | timedelta = MAX_WATCH,
) -> str:
    """Return a link that writes below a folder and reads nothing.

    Takes the options of ``link`` except ``use``. The URL must end in a slash, unless
    ``directory=True`` is set.
    """
    options = locals()
    if not _urls.read_path(_urls.split(url).path, directory).endswith("/"):
        rule = "an upload link opens a folder: end the URL in a slash, or set directory=True"
        raise LecternError("path_not_a_folder", rule)
    return link(**options, use="upload")


def embed_url(
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
    watermark: str | None = None,
    sessions: int | None = None,
    sessions_policy: SessionsPolicy | None = None,
    strict: bool | None = None,
    offline: int | timedelta | None = None,
    directory: bool = False,
    keys: str | None = None,
    now: int | datetime | None = None,
    max_link_age: int | timedelta = MAX_LINK_AGE,
    max_watch: int | timedelta = MAX_WATCH,
) -> str:
    """Return the address of the edge's player page for an ``<iframe>``.

    Takes the options of ``link`` except ``use``. The link is in the fragment, which browsers send
    to no server. Of a URL that ends in a slash, the page plays ``master.m3u8``.
    """
    options = locals()
    parts = _urls.split(url)
    if parts.path.endswith("/"):
        options["url"] = parts.beside("master.m3u8")
    return f"{parts.origin}/_lectern/play#{link(**options)}"


def poster_url(
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
    watermark: str | None = None,
    sessions: int | None = None,
    sessions_policy: SessionsPolicy | None = None,
    strict: bool | None = None,
    offline: int | timedelta | None = None,
    keys: str | None = None,
    now: int | datetime | None = None,
    max_link_age: int | timedelta = MAX_LINK_AGE,
    max_watch: int | timedelta = MAX_WATCH,
) -> str:
    """Return a link to the poster of a lecture, and to nothing else.

    The URL is that of the lecture's folder or of an object in it. Takes the options of ``link``
    except ``use`` and ``directory``. The edge refuses it with ``max_height``, ``preview`` or
    ``langs``.
    """
    options = locals()
    parts = _urls.split(url)
    _refuse_options(options, _RESTRICTIONS)
    options["url"] = parts.beside("poster.jpg")
    return link(**options)


def download_url(
    url: str,
    *,
    name: str | None = None,
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
    watermark: str | None = None,
    sessions: int | None = None,
    sessions_policy: SessionsPolicy | None = None,
    strict: bool | None = None,
    offline: int | timedelta | None = None,
    keys: str | None = None,
    now: int | datetime | None = None,
    max_link_age: int | timedelta = MAX_LINK_AGE,
    max_watch: int | timedelta = MAX_WATCH,
) -> str:
    """Return a link to the download of a lecture, and to nothing else.

    Browsers save the file under ``name``, or else under the name of the folder. Takes the options
    of ``poster_url`` except ``sessions``.
    """
    options = locals()
    parts = _urls.split(url)
    _refuse_options(options, (*_RESTRICTIONS, "sessions"))
    encoded = _urls.encode_name(options.pop("name"))
    parts = parts._replace(query=_urls.put_member(parts.query, "download", encoded))
    options["url"] = parts.beside("lecture.mp4")
    return link(**options, use="download")


def mint(
    claims: Mapping[str, Any],
    *,
    keys: str | None = None,
    now: int | datetime | None = None,
    max_link_age: int | timedelta = MAX_LINK_AGE,
    max_watch: int | timedelta = MAX_WATCH,
) -> str:
    """Return a token with these claims, for example {"path": "/courses/rails/", "exp": 1800000000}.

    Omits a claim that is None.
    """
    kid, secret = next(iter(_keys.read(keys).items()))
    now = _claims.read_now(now)
    max_link_age = _claims.read_bound("max_link_age", max_link_age)
    max_watch = _claims.read_bound("max_watch", max_watch)
    given = claims if isinstance(claims, Mapping) else {}
    claims = {name: value for name, value in given.items() if value is not None}
    for name in claims:
        if name not in _claims.RULES:
            raise LecternError("unknown_claim", f"no claim is called `{name}`")
    checked = _claims.check(claims)
    _claims.check_target(checked)
    _claims.check_expiry(checked["exp"], now, max_link_age)
    watch = checked.get("watch", 0)
    if watch > max_watch:
        rule = f"`watch` is {watch} seconds; the edge allows {max_watch} at most (MAX_WATCH)"
        raise LecternError("watch_too_long", rule)
    if checked.get("use") == "play":
        del checked["use"]
    header = {"alg": "HS256", "typ": "JWT", "kid": kid}
    signed = ".".join(_keys.encode(_write_json(part)) for part in (header, checked))
    token = f"{signed}.{_keys.encode(_keys.mac(secret, signed))}"
    if len(token) > MAX_LINK_BYTES:
        raise LecternError("link_too_long", f"the link is longer than {MAX_LINK_BYTES} bytes")
    return token


def _refuse_options(options: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in names:
        if options[name] is not None:
            rule = f"the edge refuses a link to this object with `{name}`: leave it out"
            raise LecternError("bad_option", rule)


def key_ids(keys: str | None = None) -> list[str]:
    """Return the ids of the keys, the signing key first, as the edge's /_lectern/health lists them.

    Raises if the keys are wrong: call it when the app starts.
    """
    return list(_keys.read(keys))


def _write_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _read_expiry(expires_in: Any, expires_at: Any, now: int) -> Any:
    if expires_in is not None and expires_at is not None:
        raise LecternError("bad_exp", "expires_in and expires_at are both set: remove one")
    if expires_at is not None:
        return _claims.read_seconds(expires_at)
    seconds = _claims.read_seconds(EXPIRES_IN if expires_in is None else expires_in)
    if not _claims.is_whole(seconds):
        rule = "`expires_in` must be a whole number of seconds, or a timedelta"
        raise LecternError("bad_exp", rule)
    return now + seconds
