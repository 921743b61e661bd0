//! Translation of ffmpeg's messages: the one place where they become sentences. Pure.

use std::fmt;

use crate::exit::Exit;

/// Cause of a failure, as ffmpeg's messages reveal it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Diagnosis {
    Encrypted,
    /// A container that is not read: ffmpeg's name of it.
    Container(String),
    /// The recorder did not finish the file, or its end is missing.
    NoIndex,
    /// A codec without a decoder: ffmpeg's name of it.
    NoDecoder(String),
    Damaged,
    OutOfMemory,
    Unknown,
}

impl Diagnosis {
    /// Finds the cause in the last messages of ffmpeg or ffprobe.
    pub(crate) fn of(messages: &str) -> Self {
        let messages = &*without_names(messages);
        let has = |parts: &[&str]| parts.iter().any(|part| messages.contains(part));
        if has(ENCRYPTED) {
            return Self::Encrypted;
        }
        if let Some((before, _)) = messages.split_once("Format not on whitelist") {
            return Self::Container(context_name(before));
        }
        if has(&["moov atom not found"]) {
            return Self::NoIndex;
        }
        if let Some(codec) = undecodable_codec(messages) {
            return Self::NoDecoder(codec);
        }
        if has(&["Cannot allocate memory"]) {
            return Self::OutOfMemory;
        }
        if messages.split("; ").any(reports_damage) {
            return Self::Damaged;
        }
        Self::Unknown
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Encrypted
            | Self::Container(_)
            | Self::NoIndex
            | Self::NoDecoder(_)
            | Self::Damaged => Exit::Input,
            // A recording may ask for any memory, so this says nothing about the next one.
            Self::OutOfMemory | Self::Unknown => Exit::Failed,
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Encrypted => "upload the original recording, without encryption",
            Self::Container(_) => "convert it to Matroska: ffmpeg -i IN -c copy OUT.mkv",
            Self::NoIndex | Self::Damaged => {
                "play the recording to its end, download it again if it stops early, or re-mux it \
                 with `ffmpeg -i IN -c copy OUT.mkv` and package that"
            }
            Self::NoDecoder(_) => {
                "install an ffmpeg with this decoder, or convert the recording where it plays"
            }
            Self::OutOfMemory => "free some memory, or use `--jobs 1`",
            Self::Unknown => "run it again with `--verbose` to see the messages of ffmpeg",
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encrypted => f.write_str("it is encrypted"),
            Self::Container(name) => write!(f, "its container (`{name}`) is not supported"),
            Self::NoIndex => {
                f.write_str("its index is missing: it is cut short, not finished, or no recording")
            }
            Self::NoDecoder(codec) => write!(f, "{codec}: this ffmpeg cannot decode it"),
            Self::Damaged => f.write_str("it is damaged, or is no recording"),
            Self::OutOfMemory => f.write_str("ffmpeg got no more memory"),
            Self::Unknown => f.write_str("ffmpeg cannot read it"),
        }
    }
}

/// Parts of messages about encrypted media.
const ENCRYPTED: &[&str] = &[
    "sub-sample encryption",
    "encryption info",
    "encrypted",
    "decryption key",
    "Unsupported encryption",
    "saiz atom",
    "senc atom",
];

/// Parts of messages about damaged media; without them, a message may be about anything.
const DAMAGE: &[&str] = &[
    "Continuity check failed",
    "End of file",
    "Error while decoding",
    "Error while filtering",
    "Invalid data",
    "Invalid NAL",
    "Packet corrupt",
    "Packet mismatch",
    "Truncat",
    "concealing",
    "contains no frames",
    "corrupt",
    "could not find codec parameters",
    "Could not find codec parameters",
    "does not contain any stream",
    "ended prematurely",
    "error reading header",
    "exceeds containing",
    "invalid as first byte",
    "non-existing",
    "overread",
    "partial file",
    "size mismatch",
    "unknown-sized",
];

/// Returns true if a message reports damage of the recording.
pub(crate) fn reports_damage(message: &str) -> bool {
    let cause = without_name(message);
    DAMAGE.iter().any(|part| cause.contains(part))
}

/// Removes the path of the recording, which may be that of a lecture about `encrypted mail`.
fn without_names(messages: &str) -> String {
    let causes: Vec<&str> = messages.split("; ").map(without_name).collect();
    causes.join("; ")
}

/// The cause in `file:/path: cause`.
fn without_name(message: &str) -> &str {
    let is_path = message.starts_with("file:");
    let cause = message.rsplit_once(": ").filter(|_| is_path);
    cause.map_or(message, |(_, cause)| cause)
}

/// Returns true if a message of a demuxer reports data that it does not find.
pub(crate) fn reports_lost_data(message: &str) -> bool {
    const PARTS: [&str; 11] = [
        "Continuity check failed",
        "Invalid data",
        "Packet corrupt",
        "Packet mismatch",
        "Truncat",
        "ended prematurely",
        "exceeds containing",
        "invalid as first byte",
        "partial file",
        "size mismatch",
        "unknown-sized",
    ];
    PARTS.iter().any(|part| message.contains(part))
}

/// Returns true if a message reports a frame that the decoder dropped or repaired.
pub(super) fn reports_damaged_frame(message: &str) -> bool {
    const PARTS: [&str; 3] = [
        "Error while decoding stream",
        "Error submitting packet to decoder",
        "corrupt decoded frame",
    ];
    let cause = without_name(message);
    PARTS.iter().any(|part| cause.contains(part))
}

/// Name in the last `[name @ 0x55…]`, which is that of a demuxer or a decoder.
fn context_name(messages: &str) -> String {
    let inner = messages.rsplit_once('[').map_or("", |(_, inner)| inner);
    let name = inner.split_once(" @").map_or("", |(name, _)| name);
    let name: String = name
        .chars()
        .filter(char::is_ascii_graphic)
        .take(40)
        .collect();
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name
    }
}

/// Codec in `Decoder (codec X) not found for input stream` and its variants.
fn undecodable_codec(messages: &str) -> Option<String> {
    const FORMS: [(&str, &[char]); 3] = [
        ("Decoder (codec ", &[')']),
        (
            "Decoding requested, but no decoder found for: ",
            &[';', ' '],
        ),
        ("no decoder found for: ", &[';', ' ']),
    ];
    FORMS.iter().find_map(|(before, ends)| {
        let (_, rest) = messages.split_once(before)?;
        let codec = rest.split(*ends).next().unwrap_or_default();
        (!codec.is_empty() && codec.len() < 40).then(|| format!("`{codec}`"))
    })
}

/// Name of a codec with its tag, such as ``AC-4 (`ac-4`)``. `tag` is the FourCC of an MP4, or
/// ffmpeg's `[0][0][0][0]` for a container without one.
pub(crate) fn codec_and_tag(codec: &str, tag: &str) -> String {
    let tag = match tag.starts_with('[') || tag.is_empty() {
        true => codec,
        false => tag,
    };
    let name = CODECS.iter().find(|(own, _)| *own == tag || *own == codec);
    match (name, tag) {
        (Some((_, name)), _) => format!("{name} (`{tag}`)"),
        (None, "") => "an unknown codec".to_owned(),
        (None, tag) if codec == tag || codec.is_empty() => format!("`{tag}`"),
        (None, tag) => format!("`{codec}` (`{tag}`)"),
    }
}

/// Names of codecs that many builds of ffmpeg cannot decode, by their tags and ffmpeg's names.
const CODECS: [(&str, &str); 20] = [
    ("AC-4", "AC-4"),
    ("ac-4", "AC-4"),
    ("ac4", "AC-4"),
    ("apv1", "APV"),
    ("av01", "AV1"),
    ("av1", "AV1"),
    ("dtsx", "DTS-UHD"),
    ("evc1", "EVC"),
    ("flac", "FLAC"),
    ("fpcm", "floating-point PCM"),
    ("iamf", "IAMF"),
    ("ipcm", "integer PCM"),
    ("lc3", "LC3"),
    ("mha1", "MPEG-H 3D Audio"),
    ("mhm1", "MPEG-H 3D Audio"),
    ("mpegh_3d_audio", "MPEG-H 3D Audio"),
    ("vvc", "VVC"),
    ("vvc1", "VVC"),
    ("vvi1", "VVC"),
    ("wmavoice", "Windows Media Audio Voice"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_ffmpeg_become_sentences_without_its_words() {
        for (messages, expected) in [
            (
                "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x5581] hit EOF while reading sub-sample encryption \
                 info; [mov,mp4,m4a,3gp,3g2,mj2 @ 0x5581] error reading header",
                "it is encrypted",
            ),
            (
                "[rm @ 0x55d] Format not on whitelist 'mov,matroska'; a.rm: Invalid argument",
                "its container (`rm`) is not supported",
            ),
            (
                "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x5581] moov atom not found; Invalid data found when \
                 processing input",
                "its index is missing: it is cut short, not finished, or no recording",
            ),
            (
                "Decoder (codec mpegh_3d_audio) not found for input stream #0:1",
                "`mpegh_3d_audio`: this ffmpeg cannot decode it",
            ),
            (
                "a.mp4: Invalid data found when processing input",
                "it is damaged, or is no recording",
            ),
            // A file is called as its lecture is.
            (
                "file:/srv/encrypted mail, truncated.mp4: No such file or directory",
                "ffmpeg cannot read it",
            ),
            (
                "file:/srv/corrupt: why.mp4: Invalid data found when processing input",
                "it is damaged, or is no recording",
            ),
            (
                "malloc: Cannot allocate memory",
                "ffmpeg got no more memory",
            ),
            ("", "ffmpeg cannot read it"),
            ("Option foo not found.", "ffmpeg cannot read it"),
        ] {
            let diagnosis = Diagnosis::of(messages);
            assert_eq!(diagnosis.to_string(), expected, "{messages}");
            assert!(!diagnosis.hint().is_empty());
        }
    }

    #[test]
    fn a_codec_is_named_with_its_tag() {
        for (codec, tag, expected) in [
            ("", "ac-4", "AC-4 (`ac-4`)"),
            ("", "fpcm", "floating-point PCM (`fpcm`)"),
            ("", "zzzz", "`zzzz`"),
            ("", "[0][0][0][0]", "an unknown codec"),
            ("prores", "apcn", "`prores` (`apcn`)"),
            ("vvc", "[0][0][0][0]", "VVC (`vvc`)"),
        ] {
            assert_eq!(codec_and_tag(codec, tag), expected, "{codec} {tag}");
        }
    }
}
