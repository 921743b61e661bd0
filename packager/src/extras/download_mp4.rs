//! `lecture.mp4`, a download that also plays where HLS does not. It holds the ladder's own access
//! units, with the index in front.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::LadderRung;
use super::concat_input::ConcatInput;
use super::storyboard::words;
use crate::box_walk::BoxHeader;
use crate::layout::DOWNLOAD_MP4;

const LINES: u32 = 720;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Mp4Error {
    #[error("cannot read `{DOWNLOAD_MP4}`")]
    Io(#[from] std::io::Error),
    #[error("`{DOWNLOAD_MP4}` does not begin with its index")]
    NoIndex,
    #[error("`{DOWNLOAD_MP4}` is cut short")]
    Cut,
    #[error("`{DOWNLOAD_MP4}` lasts {actual:.1} s instead of {expected:.1} s")]
    Duration { expected: f64, actual: f64 },
}

/// The largest rung up to 720p, else the smallest one.
pub(crate) fn rung<'a, 'b>(rungs: &'b [LadderRung<'a>]) -> Option<&'b LadderRung<'a>> {
    rungs
        .iter()
        .find(|rung| rung.width.min(rung.height) <= LINES)
        .or(rungs.last())
}

/// Copies video and audio, either of which may be missing. `reorder_seconds` is the number of
/// seconds from decoding to presentation.
pub(crate) fn argv(
    video: Option<&ConcatInput>,
    reorder_seconds: f64,
    audio: Option<&ConcatInput>,
) -> Vec<OsString> {
    let mut args: Vec<OsString> =
        words("-hide_banner -nostdin -nostats -y -v error -progress pipe:1").collect();
    // By default ffmpeg moves every input to 0. Audio begins with 1024 priming samples that its
    // edit list cuts off. It would come 0.021 s late and lose that list.
    args.push("-copyts".into());
    // CMAF shows the first frame at 0, and earlier decoded frames have negative offsets. ffmpeg 5.1
    // delays all frames by the lowest offset.
    let early = format!("-itsoffset -{reorder_seconds:.6}");
    args.extend(video.iter().flat_map(|input| input.args(&early)));
    args.extend(audio.iter().flat_map(|input| input.args("")));
    for at in 0..video.iter().chain(&audio).count() {
        args.extend(words(&format!("-map {at}:0")));
    }
    args.extend(words(
        "-map_metadata -1 -c copy -movflags +faststart -fflags +bitexact -f mp4",
    ));
    args.push(DOWNLOAD_MP4.into());
    args
}

/// Verifies that the file is complete with its index before the media. Players can then seek by
/// ranges (RFC 9110) and start early. Reads a few bytes of each box.
pub(crate) fn verify(path: &Path, expected: f64) -> Result<(), Mp4Error> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let (mut at, mut duration, mut is_whole) = (0, None, false);
    while at < length {
        let header = header(&mut file, at, length)?;
        match &header.kind {
            b"moov" => duration = Some(movie_duration(&mut file, at + header.length, length)?),
            b"mdat" if duration.is_none() => return Err(Mp4Error::NoIndex),
            b"mdat" => is_whole = true,
            _ => {}
        }
        at = at.checked_add(header.size).ok_or(Mp4Error::Cut)?;
    }
    if at != length || !is_whole {
        return Err(Mp4Error::Cut);
    }
    let actual = duration.ok_or(Mp4Error::NoIndex)?;
    // The last audio access unit extends past the end.
    if (actual - expected).abs() > 0.25 {
        return Err(Mp4Error::Duration { expected, actual });
    }
    Ok(())
}

fn header(file: &mut File, at: u64, end: u64) -> Result<BoxHeader, Mp4Error> {
    let mut head = [0; BoxHeader::LONGEST];
    let length = head
        .len()
        .min(usize::try_from(end - at).unwrap_or(usize::MAX));
    read(file, at, &mut head[..length])?;
    BoxHeader::parse(&head[..length], end - at).ok_or(Mp4Error::Cut)
}

/// Seconds, from `mvhd`, which ffmpeg writes as the first box of `moov`.
fn movie_duration(file: &mut File, at: u64, end: u64) -> Result<f64, Mp4Error> {
    let header = header(file, at, end)?;
    if &header.kind != b"mvhd" {
        return Err(Mp4Error::NoIndex);
    }
    let mut body = [0; 32];
    read(file, at + header.length, &mut body)?;
    let number = |from: usize, length: usize| {
        let bytes = &body[from..from + length];
        bytes
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) as f64
    };
    let (timescale, duration) = match body[0] {
        0 => (number(12, 4), number(16, 4)),
        _ => (number(20, 4), number(24, 8)),
    };
    Ok(duration / timescale.max(1.0))
}

fn read(file: &mut File, at: u64, bytes: &mut [u8]) -> Result<(), Mp4Error> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Mp4Error::Cut,
        _ => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).expect("a small box");
        [&size.to_be_bytes()[..], kind, body].concat()
    }

    /// An index for 2.5 s.
    fn index() -> Vec<u8> {
        let mut body = vec![0; 100];
        body[12..16].copy_from_slice(&1000_u32.to_be_bytes());
        body[16..20].copy_from_slice(&2500_u32.to_be_bytes());
        atom(b"moov", &atom(b"mvhd", &body))
    }

    #[test]
    fn a_file_is_whole_as_long_as_the_lecture_and_its_index_comes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(DOWNLOAD_MP4);
        let (brand, media) = (atom(b"ftyp", b"isom"), atom(b"mdat", b"media"));
        let whole = [brand.clone(), index(), media.clone()].concat();
        for (bytes, expected) in [
            (whole.clone(), ""),
            (
                whole[..whole.len() - 1].to_vec(),
                "`lecture.mp4` is cut short",
            ),
            (whole[..40].to_vec(), "`lecture.mp4` is cut short"),
            (
                [brand.clone(), media, index()].concat(),
                "`lecture.mp4` does not begin with its index",
            ),
            ([brand, index()].concat(), "`lecture.mp4` is cut short"),
            (vec![], "`lecture.mp4` is cut short"),
        ] {
            std::fs::write(&path, bytes).expect("a file");
            let got = verify(&path, 2.5)
                .err()
                .map_or_else(String::new, |error| error.to_string());
            assert_eq!(got, expected);
        }
        std::fs::write(&path, whole).expect("a file");
        let error = verify(&path, 12.0).expect_err("2.5 s are not 12");
        assert_eq!(
            error.to_string(),
            "`lecture.mp4` lasts 2.5 s instead of 12.0 s"
        );
    }
}
