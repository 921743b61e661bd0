//! MP4 and QuickTime: top-level boxes (ISO/IEC 14496-12 §4.2), and the `pcmC` of PCM tracks.

use std::io::{Read, Result, Seek};
use std::ops::Range;

use super::{PcmFormat, Structure, Window};
use crate::box_walk::{BoxHeader, walk};

/// Maximum number of top-level boxes; a day in fragments of one second has 172,800.
const MOST_BOXES: usize = 500_000;
/// Maximum bytes of a `moov`.
const MOST_MOOV: u64 = 256 << 20;
/// Maximum number of tracks that are looked into.
const MOST_TRACKS: usize = 256;
/// Bytes of an audio sample entry before its boxes, its header excluded.
const AUDIO_ENTRY: usize = 28;

pub(super) fn read(file: &mut Window<'_, impl Read + Seek>) -> Result<Structure> {
    let mut structure = Structure {
        is_cut_short: Some(false),
        ..Structure::default()
    };
    let mut at = 0;
    for _ in 0..MOST_BOXES {
        let left = file.length.saturating_sub(at);
        let head = file.bytes(at, BoxHeader::LONGEST)?;
        let Some(header) = BoxHeader::parse(&head, left) else {
            break;
        };
        if header.size > left {
            structure.is_cut_short = Some(!matches!(&header.kind, b"free" | b"skip"));
            break;
        }
        if header.kind == *b"moov" && header.size <= MOST_MOOV {
            let moov = file.bytes(at, usize::try_from(header.size).unwrap_or(0))?;
            let entries = sample_entries(&moov);
            structure.pcm = pcm_formats(&moov, &entries);
            structure.is_encrypted = is_encrypted(&moov, &entries);
        }
        at += header.size;
    }
    Ok(structure)
}

/// For each track of a `moov`, the range of its sample entries.
fn sample_entries(moov: &[u8]) -> Vec<Vec<Range<usize>>> {
    let whole = 0..moov.len();
    let all = std::slice::from_ref(&whole);
    let tracks = children(moov, &children(moov, all, b"moov"), b"trak");
    let tracks = tracks.into_iter().take(MOST_TRACKS);
    let entries = tracks.map(|track| {
        let mut within = vec![track];
        for kind in [b"mdia", b"minf", b"stbl", b"stsd"] {
            within = children(moov, &within, kind);
        }
        // Version, flags and the number of entries come before the entries.
        within.iter().map(|body| skip(body, 8)).collect()
    });
    entries.collect()
}

/// Formats of the `ipcm` and `fpcm` tracks.
fn pcm_formats(moov: &[u8], tracks: &[Vec<Range<usize>>]) -> Vec<PcmFormat> {
    let mut found = vec![];
    for entries in tracks {
        let mut pcm = children(moov, entries, b"ipcm");
        pcm.extend(children(moov, entries, b"fpcm"));
        let boxes: Vec<Range<usize>> = pcm.iter().map(|body| skip(body, AUDIO_ENTRY)).collect();
        let format = children(moov, &boxes, b"pcmC").into_iter().next();
        let format = format.and_then(|body| moov.get(body)?.get(4..6));
        if let Some(&[flags, bits]) = format {
            found.push(PcmFormat {
                is_little_endian: flags & 1 == 1,
                bits,
            });
        }
    }
    found
}

/// Returns true if a track is encrypted (ISO/IEC 14496-12 §8.12.1), or has the DRM of old iTunes.
fn is_encrypted(moov: &[u8], tracks: &[Vec<Range<usize>>]) -> bool {
    const KINDS: [&[u8; 4]; 5] = [b"encv", b"enca", b"drmi", b"drms", b"drmv"];
    let mut entries = tracks.iter();
    entries.any(|entries| {
        let mut kinds = KINDS.iter();
        kinds.any(|kind| !children(moov, entries, kind).is_empty())
    })
}

fn skip(body: &Range<usize>, bytes: usize) -> Range<usize> {
    (body.start + bytes).min(body.end)..body.end
}

/// Bodies of the boxes of a kind.
fn children(bytes: &[u8], within: &[Range<usize>], kind: &[u8; 4]) -> Vec<Range<usize>> {
    let found = within.iter().flat_map(|range| walk(bytes, range.clone()));
    found
        .filter_map(std::result::Result::ok)
        .filter(|found| found.kind == *kind)
        .map(|found| found.body)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Structure;
    use super::*;
    use std::io::Cursor;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).expect("a small box");
        [&size.to_be_bytes()[..], kind, body].concat()
    }

    fn moov(kind: &[u8; 4], flags: u8, bits: u8) -> Vec<u8> {
        let format = boxed(b"pcmC", &[0, 0, 0, 0, flags, bits]);
        let entry = boxed(kind, &[&[0; AUDIO_ENTRY][..], &format].concat());
        let mut body = boxed(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1][..], &entry].concat());
        for outer in [b"stbl", b"minf", b"mdia", b"trak", b"moov"] {
            body = boxed(outer, &body);
        }
        body
    }

    #[test]
    fn a_file_is_cut_short_if_its_last_box_is() -> Result<()> {
        let whole = [
            boxed(b"ftyp", b"isom"),
            boxed(b"mdat", b"12345678"),
            boxed(b"moov", b""),
        ]
        .concat();
        for (length, expected) in [
            (whole.len(), false),
            (whole.len() - 8, false),
            (whole.len() - 9, true),
            (20, true),
        ] {
            let read = Structure::read(
                &mut Cursor::new(&whole[..length]),
                "mov,mp4,m4a,3gp,3g2,mj2",
            )?;
            assert_eq!(read.is_cut_short, Some(expected), "{length}");
        }
        Ok(())
    }

    #[test]
    fn the_format_of_pcm_and_encryption_are_read() {
        let format = PcmFormat {
            is_little_endian: true,
            bits: 24,
        };
        for (kind, pcm, is_encrypted) in [
            (b"ipcm", vec![format], false),
            (b"fpcm", vec![format], false),
            (b"mp4a", vec![], false),
            (b"enca", vec![], true),
        ] {
            let bytes = moov(kind, 1, 24);
            let read = Structure::read(&mut Cursor::new(bytes), "mov,mp4,m4a,3gp,3g2,mj2");
            let read = read.expect("it is read");
            assert_eq!((read.pcm, read.is_encrypted), (pcm, is_encrypted));
        }
    }
}
