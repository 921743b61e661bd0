"""URLs of an edge, and the paths of objects and folders in them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import quote

from lectern._types import ErrorCode, LecternError

_URL = re.compile(
    r"(https?://[^/?#\\\x00-\x20\x7f]+)(/[^?#]*|)"
    r"(?:\?([^#\x00-\x20\x7f]*))?(?:#([^\x00-\x20\x7f]*))?",
    re.IGNORECASE | re.ASCII,
)

# Longest name of a download, in bytes. Encoded, it fits a query beside the longest link.
_MAX_NAME_BYTES = 1024


class Url(NamedTuple):
    """Parts of a URL (RFC 3986), as they are written."""

    origin: str
    path: str
    query: str | None
    fragment: str | None

    def with_token(self, token: str) -> str:
        """Return the URL with this token in place of any other."""
        path = re.sub(
            rb"[^A-Za-z0-9\-._~!$&'()*+,=:@/%]",
            lambda byte: b"%%%02X" % byte[0][0],
            self.path.encode(),
        ).decode()
        query = put_member(self.query, "token", token)
        return f"{self.origin}{path}?{query}{self._hash()}"

    def beside(self, name: str) -> str:
        """Return the URL of another object in the same folder, without a token."""
        if not self.path.startswith("/"):
            raise bad_path("path_not_absolute")
        folder = self.path[: self.path.rindex("/") + 1]
        query = put_member(self.query, "token", "")
        return f"{self.origin}{folder}{name}{'?' + query if query else ''}{self._hash()}"

    def _hash(self) -> str:
        return "" if self.fragment is None else f"#{self.fragment}"


def put_member(query: str | None, name: str, value: str) -> str:
    """Return the query in which a member has this value alone; without it if the value is empty."""
    members = query.split("&") if query else []
    kept = [part for part in members if part != name and not part.startswith(f"{name}=")]
    return "&".join([*kept, f"{name}={value}"] if value else kept)


def encode_name(name: Any) -> str:
    """Return the name of a download, percent-encoded."""
    text = "" if name is None else name
    if not is_text(text) or len(text.encode()) > _MAX_NAME_BYTES:
        rule = f"`name` must be a text of {_MAX_NAME_BYTES} bytes at most"
        raise LecternError("bad_option", rule)
    return quote(text, safe="")


def split(url: Any) -> Url:
    """Split a URL, or raise bad_url."""
    parts = _URL.fullmatch(url) if is_text(url) else None
    if parts is None:
        rule = "has a space in its host, query or fragment"
        raise LecternError("bad_url", f"the URL does not start with http(s)://, or {rule}")
    return Url(*parts.groups())


def find_token(link: str) -> str | None:
    """Return the token in the query of a link, or None if the text is no link."""
    parts = _URL.fullmatch(link)
    members = (parts[3] or "").split("&") if parts else []
    return next((part[len("token=") :] for part in members if part.startswith("token=")), None)


def read_path(encoded: str, directory: bool = False) -> str:
    """Return the path that a link to this path of a URL opens, decoded once."""
    if not isinstance(directory, bool):
        raise LecternError("bad_option", "`directory` must be True or False")
    path = _decode_path(encoded)
    return check_path(path[: path.rindex("/") + 1]) if directory else path


def _decode_path(encoded: str) -> str:
    if not encoded.startswith("/"):
        raise bad_path("path_not_absolute")
    wrong = re.search("%(?![0-9A-Fa-f]{2})|%2[Ff]|%5[Cc]", encoded)
    if wrong:
        raise bad_path("path_bad_escape" if wrong[0] == "%" else "path_encoded_separator")
    decoded = re.sub(rb"%(..)", lambda escape: bytes([int(escape[1], 16)]), encoded.encode())
    try:
        return check_path(decoded.decode())
    except UnicodeDecodeError:
        raise bad_path("path_not_utf8") from None


# Faults of a path: a description, and the pattern of a key that has the fault.
_FAULTS: dict[ErrorCode, tuple[str, str | None]] = {
    "path_not_absolute": ("does not start with a slash", None),
    "path_bad_escape": ("has a percent sign without two hexadecimal digits", None),
    "path_encoded_separator": ("has an encoded slash or backslash", None),
    "path_not_utf8": ("is not UTF-8", None),
    "path_too_long": ("is longer than 1024 bytes", None),
    "path_backslash": ("has a backslash", r"\\"),
    "path_semicolon": ("has a semicolon", ";"),
    "path_control": ("has a control character", "[\x00-\x1f\x7f-\x9f]"),
    "path_encoded_twice": ("is percent-encoded twice", "%[0-9A-Fa-f]{2}"),
    "path_empty_segment": (
        "has an empty segment, or names the whole bucket",
        r"^(?:(?!\.\.?/)[^/]+/)*(?:/|\Z)",
    ),
    "path_dot_segment": ("has a `.` or `..` segment", r"(?<![^/])\.\.?(?![^/])"),
    "path_reserved": ("starts with `/~`, or with `/_lectern/` and is not for `admin`", None),
    "path_too_deep": ("has more than 255 folders", None),
}


def bad_path(code: ErrorCode) -> LecternError:
    """Return the error of a path with this fault."""
    rule = "write `/folder/object`, or `/folder/` for everything in it"
    return LecternError(code, f"the path {_FAULTS[code][0]}; {rule}")


def check_path(path: Any) -> str:
    """Return the path of an object or a folder, or raise its fault."""
    if not isinstance(path, str) or not path.startswith("/"):
        raise bad_path("path_not_absolute")
    if not is_text(path):
        raise bad_path("path_not_utf8")
    key = path[1:].removesuffix("/")
    if len(key.encode()) > 1024:
        raise bad_path("path_too_long")
    for code, (_, fault) in _FAULTS.items():
        if fault and re.search(fault, key):
            raise bad_path(code)
    return path


def is_text(value: Any) -> bool:
    """Return whether the value is a string without an unpaired surrogate."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False
