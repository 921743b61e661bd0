//! Hostile playlists from bytes: a byte is a line, an attribute, or a piece of a URI.

/// The edge's own origin.
pub const ORIGIN: &str = "https://video.example.org";

/// Whole lines, so that a few bytes make a playlist that players accept.
const LINES: &[&str] = &[
    "\n",
    "#EXTM3U\n",
    "#EXT-X-TARGETDURATION:4\n",
    "#EXTINF:4,\n",
    "#EXTINF:4,title\n",
    "#EXTINF:4\n",
    "#EXT-X-ENDLIST\n",
    "#EXT-X-VERSION:11\n",
    "#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.64001e\"\n",
    "#EXT-X-STREAM-INF:BANDWIDTH=2,RESOLUTION=1280x720,AUDIO=\"a\"\n",
    "#EXT-X-DEFINE:NAME=\"h\",VALUE=\"https://evil.example\"\n",
    "#EXT-X-DEFINE:NAME=\"h\",VALUE=\"\"\n",
    "#EXT-X-DEFINE:NAME=\"h\",VALUE=\"/c/u2\"\n",
    "#EXT-X-DEFINE:NAME=\"i\",VALUE=\"{$h}/\"\n",
    "#EXT-X-DEFINE:NAME=\"h\",VALUE=\"\",VALUE=\"https://evil.example\"\n",
    "#EXT-X-DEFINE:NAME=\"h\",VALUE=\"\",IMPORT=\"h\"\n",
    "#EXT-X-DEFINE:NAME=\"h\",VALUE=\"\",QUERYPARAM=\"h\"\n",
    "#EXT-X-DEFINE:IMPORT=\"h\"\n",
    "#EXT-X-DEFINE:QUERYPARAM=\"h\"\n",
    "#EXT-X-DEFINE:QUERYPARAM=\"token\"\n",
    "#EXT-X-DEFINE:QUERYPARAM=\"p\"\n",
    "# #EXT-X-DEFINE:NAME=\"h\",VALUE=\"https://evil.example\"\n",
    "#EXT-X-CONTENT-STEERING:SERVER-URI=\"https://evil.example/s\",PATHWAY-ID=\".\"\n",
    "#EXT-X-CONTENT-STEERING:SERVER-URI=\"s.json\"\n",
    "#EXT-X-DATERANGE:ID=\"1\",START-DATE=\"2026-01-01T00:00:00Z\",CLASS=\"x\",X-ASSET-LIST=\"a.json\"\n",
    "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n",
    "s.m3u8\n",
    "/c/u2/essay.mp4\n",
    "{$h}/c/u2/essay.mp4\n",
    "https://evil.example/x.ts\n",
];

/// Beginnings of tags with attribute lists.
const TAGS: &[&str] = &[
    "#EXT-X-MAP:",
    "#EXT-X-KEY:METHOD=AES-128,",
    "#EXT-X-SESSION-KEY:METHOD=AES-128,",
    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",",
    "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"n\",LANGUAGE=\"en\",",
    "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,",
    "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1,",
    "#EXT-X-SESSION-DATA:DATA-ID=\"d\",",
    "#EXT-X-PART:DURATION=1,",
    "#EXT-X-PRELOAD-HINT:TYPE=PART,",
    "#EXT-X-PRELOAD-HINT:TYPE=MAP,",
    "#EXT-X-RENDITION-REPORT:",
    "#EXT-X-CONTENT-STEERING:",
    "#EXT-X-DATERANGE:ID=\"2\",START-DATE=\"2026-01-01T00:00:00Z\",",
    "#EXT-X-STREAM-INF:",
    "#EXT-X-DEFINE:",
    "#EXT-X-UNKNOWN:",
    "# ",
    "#",
];

/// Pieces of attribute lists.
const ATTRIBUTES: &[&str] = &[
    "URI=",
    "URI=\"",
    "SERVER-URI=\"",
    "X-ASSET-URI=\"",
    "X-ASSET-LIST=\"",
    "NAME=\"",
    "VALUE=\"",
    "IMPORT=\"",
    "QUERYPARAM=\"",
    "X=\"",
    "X=1",
    "uri=\"",
    " URI = \"",
    "NAME=\"h\"",
    "VALUE=\"https://evil.example\"",
    "VALUE=\"https://video.example.org\"",
    "BANDWIDTH=1",
    "\"",
    "\",",
    ",",
    "=",
    "\"\n",
    "x,",
    "{$h}",
    "{$i}",
    "{$}",
    "%7B$h%7D",
    "{$h",
];

/// Pieces of URIs.
const URIS: &[&str] = &[
    "/c/u2/essay.mp4",
    "/c/u2/master.m3u8",
    "../u2/s.m3u8",
    "seg.ts",
    "https://video.example.org",
    "https://evil.example",
    "//evil.example",
    "https:/evil.example",
    "http://video.example.org",
    "https://video.example.org@evil.example",
    "https://video.example.org:444",
    "https://vide\u{f6}.example",
    "https://video.example.org.evil.example",
    "/c/u2/",
    "/",
    "//",
    "\\",
    "\\\\evil.example",
    "..",
    ".",
    "?",
    "?a=",
    "&",
    "&p=",
    "#",
    ":",
    "@",
    "%2f",
    "%2e%2e",
    "%5c",
    "%",
    ";",
    "data:,",
    " ",
    "\t",
    "\r",
    "\n",
    "\u{0}",
    "\u{b}",
    "\u{1b}$B",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\u{202e}",
    "'",
    "<",
];

/// The number of pieces; a byte beyond it stands for itself.
fn piece(byte: u8) -> Option<&'static str> {
    let mut at = usize::from(byte);
    for table in [LINES, TAGS, ATTRIBUTES, URIS] {
        if let Some(piece) = table.get(at) {
            return Some(piece);
        }
        at -= table.len();
    }
    None
}

/// A Multivariant Playlist and a Media Playlist from bytes. The first byte selects their beginning
/// and encoding; 0xFF separates them.
pub fn playlists(data: &[u8]) -> [Vec<u8>; 2] {
    let (&form, data) = data.split_first().unwrap_or((&0, &[]));
    let mut parts = data.splitn(2, |&byte| byte == 0xFF);
    let heads = [
        "#EXTM3U\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n",
    ];
    heads.map(|head| {
        let mut text = Vec::new();
        if form & 1 == 0 {
            text.extend_from_slice(head.as_bytes());
        }
        for &byte in parts.next().unwrap_or_default() {
            match piece(byte) {
                Some(piece) => text.extend_from_slice(piece.as_bytes()),
                // Bytes beyond the tables, which are never valid UTF-8.
                None => text.push(byte),
            }
        }
        match form >> 1 & 7 {
            1 => in_utf16(&text, u16::to_le_bytes),
            2 => in_utf16(&text, u16::to_be_bytes),
            3 => [b"\xEF\xBB\xBF", text.as_slice()].concat(),
            _ => text,
        }
    })
}

/// UTF-16 with a byte-order mark. Lines that name an object of the edge stay bytes, for parsers
/// that read bytes.
fn in_utf16(text: &[u8], order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let mut out = order(0xFEFF).to_vec();
    for line in String::from_utf8_lossy(text).split_inclusive('\n') {
        if line.starts_with('/') {
            // An even number of bytes keeps the alignment of the next pairs.
            out.extend_from_slice(b"\n");
            out.extend_from_slice(line.as_bytes());
            if out.len() % 2 == 1 {
                out.extend_from_slice(b"\n");
            }
        } else {
            out.extend(line.encode_utf16().flat_map(order));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_below_the_tables_end_is_a_piece() {
        let pieces = LINES.len() + TAGS.len() + ATTRIBUTES.len() + URIS.len();
        assert!(pieces <= 0x80, "{pieces}");
        assert_eq!(piece(0), Some("\n"));
        assert_eq!((0..=u8::MAX).filter_map(piece).count(), pieces);
    }
}
