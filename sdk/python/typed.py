"""Types, checked by mypy and never run. Each `type: ignore` names the error that mypy must report."""

from datetime import datetime, timedelta, timezone

from lectern import Claims, ErrorCode, LecternError, download_url, embed_url, key_ids, link, mint, poster_url, upload_link
from lectern.verify import verify

now = datetime.now(timezone.utc)
url: str = link("https://h/a", viewer="s42", preview=(0, 300), langs=["en"], expires_at=now, watch=timedelta(hours=1), use="download")
folder: str = upload_link("https://h/a/", viewer="s42", expires_in=60, max_link_age=timedelta(days=1))
bounded: str = upload_link("https://h/a/", jti="l1", max_bytes=1, max_objects=1, types=["video", "hls"])
urls: list[str] = [embed_url("https://h/a/", viewer="s42", directory=True), poster_url("https://h/a/"), download_url("https://h/a/", name="Tag 1")]
claims: Claims = verify(url, now=now)
ids: list[str] = key_ids()
viewer: str = claims["sub"]
token: str = mint({"path": "/a/", "exp": 1, "max_height": 720})
code: ErrorCode = LecternError("bad_url", "no URL").code

link("https://h/a", viewer=42)  # type: ignore[arg-type]
link("https://h/a", maxHeight=480)  # type: ignore[call-arg]
link("https://h/a", use="watch")  # type: ignore[arg-type]
link("https://h/a", now="abc")  # type: ignore[arg-type]
link("https://h/a", keys=["k"])  # type: ignore[arg-type]
upload_link("https://h/a/", viewer=42)  # type: ignore[arg-type]
upload_link("https://h/a/", use="play")  # type: ignore[call-arg]
embed_url("https://h/a/", use="play")  # type: ignore[call-arg]
poster_url("https://h/a/", directory=True)  # type: ignore[call-arg]
download_url("https://h/a/", name=1)  # type: ignore[arg-type]
verify(url, max_watch=60)  # type: ignore[call-arg]
LecternError("over", "no code")  # type: ignore[arg-type]
claims["max_size"]  # type: ignore[typeddict-item]
upload_link("https://h/a/", types=["video/mp4"])  # type: ignore[list-item]
