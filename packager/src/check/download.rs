//! Checks `lecture.mp4`, the download: complete boxes, and the duration of the lecture.

use mp4_atom::{Atom as _, Moov, StszSamples, Trak};

use super::fmp4::MOST_TRACKS;
use super::rendition::CheckedRendition;
use super::sample_data;
use super::source::{MOST_SEGMENT, PackageSource};
use crate::box_walk::BoxHeader;
use crate::layout;

/// Maximum boxes at the top level.
const MOST_BOXES: usize = 1_000;
/// Seconds by which its duration may differ.
const ROUNDING: f64 = 0.5;

/// Name of the download, and its fault.
#[derive(Debug)]
pub(crate) struct CheckedDownload {
    pub(crate) name: String,
    pub(crate) fault: Option<String>,
}

/// Checks the first download in these folders.
pub(super) async fn find(
    source: &PackageSource,
    folders: &[String],
    renditions: &[CheckedRendition],
) -> Option<CheckedDownload> {
    for folder in folders {
        let path = format!("{folder}{}", layout::DOWNLOAD_MP4);
        let Ok(at) = source.root().join(&path) else {
            continue;
        };
        if source.length(&at).is_err() {
            continue;
        }
        let av = renditions
            .iter()
            .filter(|one| one.has_video() || one.has_audio_only());
        let expected = av.map(CheckedRendition::seconds).fold(0.0, f64::max);
        let fault = match duration(source, &at).await {
            Err(why) => Some(why),
            Ok(seconds) if expected > 0.0 && (seconds - expected).abs() > ROUNDING => Some(
                format!("it lasts {seconds:.3} s, and the lecture {expected:.3} s"),
            ),
            Ok(_) => None,
        };
        return Some(CheckedDownload {
            name: source.name(&at),
            fault,
        });
    }
    None
}

/// Walks the boxes, and reads the duration in `moov`.
async fn duration(source: &PackageSource, at: &reqwest::Url) -> Result<f64, String> {
    let total = source.length(at)?;
    let (mut offset, mut duration, mut has_media) = (0_u64, None, false);
    for number in 0..MOST_BOXES {
        if offset == total {
            break;
        }
        let left = total - offset;
        let length = left.min(BoxHeader::LONGEST as u64);
        let head = source
            .read(at, Some((length, offset)), MOST_SEGMENT)
            .await?;
        let header = BoxHeader::parse(&head, left)
            .filter(|header| header.kind.iter().all(u8::is_ascii_graphic))
            .ok_or_else(|| format!("bytes from {offset} on are no box"))?;
        if header.size > left {
            return Err("it is cut short".to_owned());
        }
        match &header.kind {
            b"ftyp" => {}
            _ if number == 0 => return Err("it does not begin with `ftyp`".to_owned()),
            b"moov" => {
                let body = (header.size - header.length, offset + header.length);
                let bytes = source.read(at, Some(body), MOST_SEGMENT).await?;
                let moov = Moov::decode_body(&mut &bytes[..])
                    .map_err(|error| format!("its `moov` cannot be read: {error}"))?;
                if moov.trak.is_empty() {
                    return Err("it has no track".to_owned());
                }
                if moov.trak.len() > MOST_TRACKS {
                    return Err(format!("it has more than {MOST_TRACKS} tracks"));
                }
                duration = Some(moov.mvhd.duration as f64 / f64::from(moov.mvhd.timescale.max(1)));
                for track in &moov.trak {
                    first_sample(source, at, track).await?;
                }
            }
            b"mdat" => has_media = header.size > header.length,
            _ => {}
        }
        offset += header.size;
    }
    match (duration, has_media) {
        (None, _) => Err("it has no `moov`".to_owned()),
        (_, false) => Err("it has no media".to_owned()),
        (Some(seconds), true) => Ok(seconds),
    }
}

/// Examines the first sample of a track.
async fn first_sample(
    source: &PackageSource,
    at: &reqwest::Url,
    track: &Trak,
) -> Result<(), String> {
    let tables = &track.mdia.minf.stbl;
    let coding = tables.stsd.codecs.first().and_then(sample_data::coding);
    let size = match &tables.stsz.samples {
        StszSamples::Identical { size, .. } => Some(*size),
        StszSamples::Different { sizes } => sizes.first().copied(),
    };
    let short = tables.stco.iter().flat_map(|table| &table.entries);
    let long = tables.co64.iter().flat_map(|table| &table.entries);
    let offset = short
        .map(|offset| u64::from(*offset))
        .chain(long.copied())
        .next();
    let (Some(coding), Some(size), Some(offset)) = (coding, size, offset) else {
        return Ok(());
    };
    let range = Some((size.into(), offset));
    let sample = source.read(at, range, MOST_SEGMENT).await?;
    match coding.fault(&sample) {
        Some(why) => Err(format!("its first sample is damaged: {why}")),
        None => Ok(()),
    }
}
