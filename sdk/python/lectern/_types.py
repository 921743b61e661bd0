"""Types of claims, and the error of a refused link."""

from __future__ import annotations

from typing import Literal, TypedDict

SessionsPolicy = Literal["newest", "oldest"]
FileKind = Literal["video", "audio", "image", "captions", "hls"]
Use = Literal["play", "download", "upload", "admin"]


class Claims(TypedDict, total=False):
    """Claims of a link. Durations are whole seconds, instants whole seconds since 1970."""

    # An object, or a folder with its slash, decoded: /courses/rails/
    path: str
    exp: int
    nbf: int
    iat: int
    use: Use
    sub: str
    jti: str
    watermark: str
    watch: int
    max_height: int
    preview: list[int]
    langs: list[str]
    ip: list[str]
    country: list[str]
    origin: list[str]
    sessions: int
    sessions_policy: SessionsPolicy
    strict: bool
    offline: int
    max_bytes: int
    max_objects: int
    types: list[FileKind]


# Reason of a refusal, the same in every language.
ErrorCode = Literal[
    "no_keys", "bad_keys", "bad_kid", "duplicate_kid", "bad_secret", "key_too_short",
    "key_too_long",
    "bad_option",
    "bad_url", "path_not_absolute", "path_empty_segment", "path_dot_segment",
    "path_encoded_separator", "path_backslash", "path_semicolon", "path_control",
    "path_bad_escape", "path_encoded_twice", "path_not_utf8", "path_too_long", "path_too_deep",
    "path_reserved", "path_not_a_folder", "path_not_a_playlist",
    "bad_exp", "bad_nbf", "bad_iat", "bad_use", "bad_sub", "bad_jti", "bad_watch",
    "bad_watermark", "bad_max_height", "bad_preview", "bad_langs", "bad_ip", "bad_country", "bad_origin",
    "bad_sessions", "bad_sessions_policy", "bad_strict", "bad_offline",
    "bad_max_bytes", "bad_max_objects", "bad_types", "unknown_claim",
    "expired", "exp_too_far", "watch_too_long", "link_too_long",
    "malformed", "bad_header", "unknown_critical", "unknown_key", "bad_signature", "bad_claims",
    "not_yet_valid", "wrong_scope",
]  # fmt: skip


class LecternError(ValueError):
    """Refusal of a link. ``code`` is stable, and the same in every language."""

    code: ErrorCode

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
