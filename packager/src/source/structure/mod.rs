//! Facts of a recording's own structure that ffprobe does not report: a file that ends before its
//! declared end, encryption, undeclared languages, and the sample format of PCM. Only headers are
//! read, and any number in them may be hostile.

mod asf;
mod matroska;
mod mp4;
mod mpegts;
mod sizes;

use std::io::{Read, Result, Seek, SeekFrom};

/// Containers whose header counts the samples, and whose structure is not read here.
const COUNTED: [&str; 7] = ["aiff", "au", "caf", "flac", "mxf", "mxf_opatom", "w64"];

/// Structure of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Structure {
    /// The file ends before the end that it declares; `None` if it declares none.
    pub(super) is_cut_short: Option<bool>,
    /// AVI, WAV and ASF: duration from the header. For a file that is cut short, ffprobe estimates
    /// another one.
    pub(super) declared_micros: Option<u64>,
    pub(super) is_encrypted: bool,
    /// Matroska: a track declares its language. One entry for each stream of ffprobe.
    pub(super) has_language: Vec<bool>,
    /// MP4: formats of the `ipcm` and `fpcm` tracks, in their order.
    pub(super) pcm: Vec<PcmFormat>,
}

/// Sample format of a `pcmC` box (ISO/IEC 23003-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PcmFormat {
    pub(super) is_little_endian: bool,
    pub(super) bits: u8,
}

impl Structure {
    /// Reads the structure of a container, named as ffprobe does.
    pub(super) fn read(file: &mut (impl Read + Seek), container: &str) -> Result<Self> {
        let mut file = Window::new(file)?;
        match container {
            super::MP4 => mp4::read(&mut file),
            super::MATROSKA => matroska::read(&mut file),
            "asf" => asf::read(&mut file),
            "mpegts" => Ok(Self {
                is_encrypted: mpegts::is_scrambled(&mut file)?,
                ..Self::default()
            }),
            _ => Ok(Self {
                is_cut_short: match container {
                    "avi" | "wav" => sizes::riff(&mut file)?,
                    "flv" => sizes::flv(&mut file)?,
                    "mp3" => sizes::mp3(&mut file)?,
                    _ if COUNTED.contains(&container) => Some(true),
                    _ => None,
                },
                declared_micros: match container {
                    "avi" => sizes::avi_micros(&mut file)?,
                    "wav" => sizes::wav_micros(&mut file)?,
                    _ => None,
                },
                ..Self::default()
            }),
        }
    }
}

/// Number with the least significant byte first.
fn little_endian(bytes: Option<&[u8]>) -> Option<u64> {
    let bytes = bytes?.iter().rev();
    Some(bytes.fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

/// Number with the most significant byte first.
fn big_endian(bytes: Option<&[u8]>) -> Option<u64> {
    let bytes = bytes?.iter();
    Some(bytes.fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

/// A file with random access and a known length.
struct Window<'a, F> {
    file: &'a mut F,
    length: u64,
}

impl<'a, F: Read + Seek> Window<'a, F> {
    fn new(file: &'a mut F) -> Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, length })
    }

    /// Reads up to `count` bytes; fewer at the end of the file.
    fn bytes(&mut self, at: u64, count: usize) -> Result<Vec<u8>> {
        if at >= self.length {
            return Ok(vec![]);
        }
        self.file.seek(SeekFrom::Start(at))?;
        let mut bytes = vec![];
        self.file
            .by_ref()
            .take(count as u64)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn no_header_makes_reading_fail_or_never_end() -> Result<()> {
        let hostile: [&[u8]; 8] = [
            b"",
            b"\0\0\0\x01moov",
            b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xfe",
            b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\x16\x54\xae\x6b\x80\xae\x80\xae",
            b"RIFF\xff\xff\xff\xfeAVI ",
            b"ID3\x04\0\0\x7f\x7f\x7f\x7f",
            b"FLV\x01\x05\0\0\0\x09\xff\xff\xff\xff",
        ];
        let containers = [
            "mov,mp4,m4a,3gp,3g2,mj2",
            "matroska,webm",
            "avi",
            "wav",
            "flv",
            "asf",
            "mp3",
            "flac",
            "mpegts",
        ];
        for container in containers {
            for bytes in hostile {
                for end in 0..=bytes.len() {
                    Structure::read(&mut Cursor::new(&bytes[..end]), container)?;
                }
            }
        }
        Ok(())
    }
}
