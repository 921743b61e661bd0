//! Matroska and WebM (RFC 9559): the end of the Segment, and the languages that tracks declare.

use std::io::{Read, Result, Seek};

use super::{Structure, Window};

const EBML: u64 = 0x1A45_DFA3;
const SEGMENT: u64 = 0x1853_8067;
const CLUSTER: u64 = 0x1F43_B675;
const TRACKS: u64 = 0x1654_AE6B;
const TRACK_ENTRY: u64 = 0xAE;
const TRACK_TYPE: u64 = 0x83;
const CODEC_ID: u64 = 0x86;
const CONTENT_ENCODINGS: u64 = 0x6D80;
const CONTENT_ENCODING: u64 = 0x6240;
const CONTENT_ENCRYPTION: u64 = 0x5035;
const LANGUAGE: u64 = 0x22_B59C;
const LANGUAGE_BCP_47: u64 = 0x22_B59D;
/// Types of the tracks that ffmpeg makes a stream of: video, audio, subtitle and metadata.
const STREAMS: [u8; 4] = [0x01, 0x02, 0x11, 0x21];
/// Maximum number of elements before the tracks.
const MOST_ELEMENTS: usize = 1_000;
const MOST_TRACKS_BYTES: u64 = 16 << 20;
/// Bytes of the longest ID with the longest size.
const LONGEST_HEAD: usize = 12;

/// Head of an element; `size` is `None` if it is unknown (RFC 8794 §6.2).
struct Element {
    id: u64,
    length: u64,
    size: Option<u64>,
}

impl Element {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let id_length = vint_length(bytes, 4)?;
        let id = number(bytes.get(..id_length)?);
        let rest = &bytes[id_length..];
        let size_length = vint_length(rest, 8)?;
        let mask = (1_u64 << (7 * size_length)) - 1;
        let size = number(rest.get(..size_length)?) & mask;
        Some(Self {
            id,
            length: (id_length + size_length) as u64,
            size: (size != mask).then_some(size),
        })
    }
}

/// Bytes of a variable-size integer, which its first byte tells.
fn vint_length(bytes: &[u8], most: usize) -> Option<usize> {
    let length = bytes.first()?.leading_zeros() as usize + 1;
    (length <= most).then_some(length)
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

pub(super) fn read(file: &mut Window<'_, impl Read + Seek>) -> Result<Structure> {
    let mut structure = Structure::default();
    let Some(header) = Element::parse(&file.bytes(0, LONGEST_HEAD)?) else {
        return Ok(structure);
    };
    let (EBML, Some(size)) = (header.id, header.size) else {
        return Ok(structure);
    };
    let start = header.length.saturating_add(size);
    let segment = Element::parse(&file.bytes(start, LONGEST_HEAD)?);
    let Some(segment) = segment.filter(|segment| segment.id == SEGMENT) else {
        return Ok(structure);
    };
    let mut at = start.saturating_add(segment.length);
    structure.is_cut_short = segment
        .size
        .map(|size| at.saturating_add(size) > file.length);
    for _ in 0..MOST_ELEMENTS {
        let Some(element) = Element::parse(&file.bytes(at, LONGEST_HEAD)?) else {
            break;
        };
        let body = at.saturating_add(element.length);
        match (element.id, element.size) {
            (TRACKS, Some(size)) if size <= MOST_TRACKS_BYTES => {
                let tracks = file.bytes(body, usize::try_from(size).unwrap_or(0))?;
                structure.has_language = languages(&tracks);
                structure.is_encrypted = is_encrypted(&tracks);
                break;
            }
            (CLUSTER | TRACKS, _) | (_, None) => break,
            (_, Some(size)) => at = body.saturating_add(size),
        }
    }
    Ok(structure)
}

/// Declared languages of the tracks. RFC 9559 §5.1.4.1.19 gives `eng` to a track that declares
/// none, but recorders that declare none know no language.
fn languages(tracks: &[u8]) -> Vec<bool> {
    let mut found = vec![];
    for (id, entry) in elements(tracks) {
        if id != TRACK_ENTRY {
            continue;
        }
        let (mut kind, mut has_codec, mut has_language) = (None, false, false);
        for (id, body) in elements(entry) {
            match id {
                TRACK_TYPE => kind = body.last().copied(),
                CODEC_ID => has_codec = true,
                LANGUAGE | LANGUAGE_BCP_47 => has_language |= !body.is_empty(),
                _ => {}
            }
        }
        if has_codec && kind.is_some_and(|kind| STREAMS.contains(&kind)) {
            found.push(has_language);
        }
    }
    found
}

/// Returns true if a track is encrypted (RFC 9559 §5.1.4.1.31).
fn is_encrypted(tracks: &[u8]) -> bool {
    let mut within = vec![tracks];
    for wanted in [TRACK_ENTRY, CONTENT_ENCODINGS, CONTENT_ENCODING] {
        let inner = within.into_iter().flat_map(elements);
        within = inner
            .filter(|(id, _)| *id == wanted)
            .map(|(_, body)| body)
            .collect();
    }
    let mut inner = within.into_iter().flat_map(elements);
    inner.any(|(id, _)| id == CONTENT_ENCRYPTION)
}

/// IDs and bodies of consecutive elements.
fn elements(mut bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        let element = Element::parse(bytes)?;
        let start = usize::try_from(element.length).ok()?;
        let size = usize::try_from(element.size?).ok()?;
        let body = bytes.get(start..start.checked_add(size)?)?;
        bytes = &bytes[start + size..];
        Some((element.id, body))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
        let size = u8::try_from(body.len()).expect("a small element");
        assert!(size < 127);
        [id, &[0x80 | size], body].concat()
    }

    fn track(kind: u8, more: &[u8]) -> Vec<u8> {
        let body = [
            element(&[0x83], &[kind]),
            element(&[0x86], b"V_VP8"),
            more.to_vec(),
        ];
        element(&[0xAE], &body.concat())
    }

    fn recording(segment_size: Option<u8>) -> Vec<u8> {
        let language = element(&[0x22, 0xB5, 0x9C], b"eng");
        let bcp = element(&[0x22, 0xB5, 0x9D], b"de");
        let tracks = [
            track(1, &[]),
            track(2, &language),
            // Buttons are no stream of ffmpeg.
            track(0x12, &[]),
            track(2, &bcp),
        ];
        let body = [
            element(&[0xEC], b"void"),
            element(&[0x16, 0x54, 0xAE, 0x6B], &tracks.concat()),
            element(&[0x1F, 0x43, 0xB6, 0x75], b"cluster"),
        ]
        .concat();
        let size = segment_size.map_or(0xFF, |more| {
            0x80 | (u8::try_from(body.len()).expect("small") + more)
        });
        let ebml = element(&[0x1A, 0x45, 0xDF, 0xA3], b"");
        [&ebml[..], &[0x18, 0x53, 0x80, 0x67, size], &body].concat()
    }

    #[test]
    fn an_encrypted_track_is_found() {
        let encryption = element(&[0x50, 0x35], &[]);
        let encoding = element(&[0x62, 0x40], &encryption);
        let encodings = element(&[0x6D, 0x80], &encoding);
        assert!(is_encrypted(&track(1, &encodings)));
        assert!(!is_encrypted(&track(1, &encoding)));
    }

    #[test]
    fn the_end_of_the_segment_and_the_declared_languages_are_read() -> Result<()> {
        for (more, expected) in [(Some(0), Some(false)), (Some(1), Some(true)), (None, None)] {
            let bytes = recording(more);
            let read = Structure::read(&mut Cursor::new(&bytes), "matroska,webm")?;
            assert_eq!(read.is_cut_short, expected);
            assert_eq!(read.has_language, [false, true, true]);
        }
        Ok(())
    }
}
