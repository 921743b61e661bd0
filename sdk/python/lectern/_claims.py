"""Rules for the claims and times of a link, which the edge has too."""

from __future__ import annotations

import ipaddress
import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from lectern._types import ErrorCode, LecternError
from lectern._urls import bad_path, check_path, is_text

# Extensions of objects that are not playlists.
_MEDIA = re.compile(
    r"\.(m4s|mp4|cmfv|m4v|m4a|cmfa|ts|aac|mp3|webm|mov|mkv|vtt|mpd|json|jpe?g|png|webp|avif|gif)",
    re.IGNORECASE | re.ASCII,
)


def check(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims in the order of a token, each as the edge writes it."""
    checked: dict[str, Any] = {}
    for name, (read, rule) in RULES.items():
        if name not in claims and name not in ("path", "exp"):
            continue
        checked[name] = read(claims.get(name))
        if checked[name] is None:
            raise LecternError(cast(ErrorCode, f"bad_{name}"), f"`{name}` {rule}")
    if "sessions" in checked and "sub" not in checked:
        raise LecternError("bad_sessions", "`sessions` needs `sub` (viewer)")
    if "sessions_policy" in checked and "sessions" not in checked:
        raise LecternError("bad_sessions_policy", "`sessions_policy` needs `sessions`")
    if "offline" in checked and ("sessions" in checked or checked.get("strict")):
        raise LecternError("bad_offline", "`offline` excludes `sessions` and `strict`")
    for name in ("max_bytes", "max_objects", "types"):
        if name in checked and checked.get("use") != "upload":
            raise LecternError(cast(ErrorCode, f"bad_{name}"), f"`{name}` needs an upload link")
        if name in checked and name != "types" and "jti" not in checked:
            rule = f"`{name}` needs `jti`, under which the edge counts"
            raise LecternError(cast(ErrorCode, f"bad_{name}"), rule)
    if checked.get("strict") is False:
        del checked["strict"]
    return checked


def check_target(claims: Mapping[str, Any]) -> None:
    """Refuse claims that are well-formed and open nothing."""
    path = claims["path"]
    is_reserved = path.startswith("/_lectern/") and claims.get("use") != "admin"
    if is_reserved or path.startswith("/~"):
        raise bad_path("path_reserved")
    if path.count("/") > 256:
        raise bad_path("path_too_deep")
    is_restricted = not claims.keys().isdisjoint(("max_height", "preview", "langs"))
    is_media = _MEDIA.fullmatch(path, max(path.rfind("."), 0))
    if is_restricted and is_media and claims.get("use") != "upload":
        need = "max_height, preview and langs need a playlist"
        rule = f"{need}: link to the `.m3u8`, or to its folder"
        raise LecternError("path_not_a_playlist", rule)


def check_expiry(exp: int, now: int, max_link_age: int) -> None:
    """Refuse a link that is over, or ends too far ahead."""
    if exp < now:
        raise LecternError("expired", f"the link expired at {exp}; the time is {now}")
    if exp - now > max_link_age:
        rule = f"the link expires more than {max_link_age} seconds from now (MAX_LINK_AGE)"
        raise LecternError("exp_too_far", rule)


def read_now(now: Any) -> int:
    """Return the current time in seconds since 1970, unless another time is given."""
    now = time.time() if now is None else read_seconds(now)
    now = math.floor(now) if isinstance(now, float) and math.isfinite(now) else now
    if _SECONDS(now) is None:
        rule = "`now` must be seconds since 1970, or a datetime with its zone"
        raise LecternError("bad_option", rule)
    return int(now)


def read_bound(name: str, value: Any) -> int:
    """Return an option of the edge in seconds."""
    seconds = _SECONDS(read_seconds(value))
    if seconds is None:
        rule = f"`{name}` must be a whole number of seconds, or a timedelta"
        raise LecternError("bad_option", rule)
    return int(seconds)


def read_seconds(value: Any) -> Any:
    """Return the whole seconds of a timedelta or datetime, and any other value as it is."""
    if isinstance(value, timedelta):
        return value // timedelta(seconds=1)
    if isinstance(value, datetime):
        # Without a zone, its instant depends on the server's.
        return None if value.tzinfo is None else int(value.timestamp())
    return value


def is_whole(value: Any) -> bool:
    """Return whether the value is an integer."""
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(least: int, most: int) -> Callable[[Any], Any]:
    return lambda value: value if is_whole(value) and least <= value <= most else None


def _read_use(value: Any) -> Any:
    return value if value in ("play", "download", "upload", "admin") else None


def _read_policy(value: Any) -> Any:
    return value if value in ("newest", "oldest") else None


def _read_label(value: Any) -> Any:
    return value if is_text(value) and 1 <= len(value.encode()) <= 256 else None


def _read_preview(value: Any) -> Any:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return None
    is_pair = all(_whole(0, 2**32 - 1)(second) is not None for second in value)
    return list(value) if is_pair and value[0] < value[1] else None


def _list(read: Callable[[str], str | None]) -> Callable[[Any], Any]:
    def entries(value: Any) -> Any:
        if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= 32:
            return None
        found = [read(entry) if is_text(entry) else None for entry in value]
        return None if None in found else found

    return entries


def _read_watermark(value: Any) -> str | None:
    return value if is_text(value) and 1 <= len(value) <= 100 else None


def _read_flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _read_lang(text: str) -> str | None:
    return text if re.fullmatch("[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*", text) else None


def _read_kind(text: str) -> str | None:
    return text if text in ("video", "audio", "image", "captions", "hls") else None


def _read_country(text: str) -> str | None:
    return text.upper() if re.fullmatch("[A-Za-z][A-Za-z0-9]", text) else None


def _read_origin(text: str) -> str | None:
    parts = re.fullmatch(r"([A-Za-z0-9.:\[\]+-]+)://(?:\*(?=\.))?([A-Za-z0-9.:\[\]+-]+)", text)
    if parts is None:
        return None
    return f"{parts[1]}://{'*' if parts[2].startswith('.') else ''}{parts[2]}".lower()


def _read_cidr(text: str) -> str | None:
    """Return a range (RFC 4632, RFC 4291) in its shortest form.

    Refuse bits after the prefix, and IPv4 written as IPv6.
    """
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
    # RFC 5952: omits the first of the longest runs of zeros. Some versions of Python write an
    # address that ends in one of IPv4 differently.
    full = network.network_address.exploded.split(":")
    groups = ":".join(f"{int(group, 16):x}" for group in full)
    zeros = max(re.findall(r"\b0(?::0)+\b", groups), key=len, default=None)
    short = re.sub(f"(^|:){zeros}(:|$)", "::", groups, count=1) if zeros else groups
    return f"{short}/{network.prefixlen}"


_SECONDS = _whole(0, 2**53 - 1)
_POSITIVE = _whole(1, 2**32 - 1)
# Claims in the order of a token: how to read each, and its rule.
RULES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "path": (check_path, ""),
    "exp": (
        _SECONDS,
        "(expires_in, expires_at) must be a whole number of seconds, or a datetime with its zone",
    ),
    "nbf": (
        _SECONDS,
        "(not_before) must be a whole number of seconds since 1970, or a datetime with its zone",
    ),
    "iat": (_SECONDS, "must be a whole number of seconds since 1970"),
    "use": (_read_use, 'must be "play", "download", "upload" or "admin"'),
    "sub": (_read_label, "(viewer) must be a text of 1 to 256 bytes"),
    "jti": (_read_label, "must be a text of 1 to 256 bytes"),
    "watermark": (_read_watermark, "must be a text of 1 to 100 characters"),
    "watch": (_whole(1, 2**53 - 1), "must be a whole number of seconds, at least 1"),
    "max_height": (_POSITIVE, "must be a whole number of lines, at least 1"),
    "preview": (_read_preview, "must be [from, to] in whole seconds, with from before to"),
    "langs": (_list(_read_lang), 'must be a list of 1 to 32 BCP 47 tags such as "en" or "pt-BR"'),
    "ip": (
        _list(_read_cidr),
        'must be a list of 1 to 32 ranges such as "192.0.2.0/24", without bits after the prefix',
    ),
    "country": (_list(_read_country), 'must be a list of 1 to 32 ISO 3166 codes such as "DE"'),
    "origin": (
        _list(_read_origin),
        'must be a list of 1 to 32 origins such as "https://*.school.example"',
    ),
    "sessions": (_whole(1, 255), "must be a whole number from 1 to 255"),
    "sessions_policy": (_read_policy, 'must be "newest" or "oldest"'),
    "strict": (_read_flag, "must be True or False"),
    "offline": (_whole(1, 30 * 24 * 3600), "must be a whole number of seconds from 1 to 2592000"),
    "max_bytes": (_whole(1, 2**53 - 1), "must be a whole number of bytes, at least 1"),
    "max_objects": (_whole(1, 100_000), "must be a whole number from 1 to 100000"),
    "types": (
        _list(_read_kind),
        'must be a list of "video", "audio", "image", "captions" and "hls"',
    ),
}
