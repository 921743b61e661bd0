//! What can be said of segments that are no boxes: MPEG-2 Transport Streams (ISO/IEC 13818-1) and WebVTT. Pure.

const PACKET: usize = 188;
const SYNC: u8 = 0x47;
/// Up to here PIDs are those of tables (EN 300 468 §5.1.3).
const LAST_TABLE_PID: u16 = 0x1f;

/// Whether every 188 bytes are a packet, with the PAT and a PMT before any media (RFC 8216bis §3.1.1).
pub(crate) fn transport_stream(bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(PACKET) {
        return Err(format!("its {} bytes are no whole packets", bytes.len()));
    }
    let packets = bytes.chunks_exact(PACKET);
    if let Some(at) = packets.clone().position(|packet| packet[0] != SYNC) {
        return Err(format!("packet {at} does not start with 0x47"));
    }
    // Tables of the service may stand before and between: ffmpeg writes the SDT first.
    let mut packets = packets.filter(|packet| !(1..=LAST_TABLE_PID).contains(&pid(packet)));
    let programs = match packets.next() {
        Some(pat) if pid(pat) == 0 => programs(pat),
        _ => return Err("it has no PAT before its media".to_owned()),
    };
    let next = packets.next().map(pid);
    if next.is_none_or(|next| !programs.contains(&next)) {
        return Err("it has no PMT of its PAT before its media".to_owned());
    }
    Ok(())
}

fn pid(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[1], packet[2]]) & 0x1fff
}

/// The PIDs of the PMTs that a PAT lists.
fn programs(pat: &[u8]) -> Vec<u16> {
    let Some(section) = payload(pat) else {
        return vec![];
    };
    let length = usize::from(section[1] & 0x0f) << 8 | usize::from(section[2]);
    // 5 bytes of header follow the length, and 4 of checksum end it.
    let end = (length + 3).saturating_sub(4).min(section.len());
    section
        .get(8..end)
        .unwrap_or_default()
        .chunks_exact(4)
        .filter(|entry| entry[..2] != [0, 0])
        .map(|entry| u16::from_be_bytes([entry[2], entry[3]]) & 0x1fff)
        .collect()
}

/// The table section in a packet, of at least 8 bytes.
fn payload(packet: &[u8]) -> Option<&[u8]> {
    let adaptation = match packet[3] & 0x20 {
        0 => 0,
        _ => 1 + usize::from(*packet.get(4)?),
    };
    let pointer = 4 + adaptation;
    let section = pointer + 1 + usize::from(*packet.get(pointer)?);
    packet.get(section..).filter(|rest| rest.len() >= 8)
}

/// What a WebVTT segment says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WebVtt {
    pub(crate) has_header: bool,
    pub(crate) has_timestamp_map: bool,
    /// The first cue whose times are none, or end before they begin.
    pub(crate) bad_cue: Option<String>,
}

pub(crate) fn web_vtt(bytes: &[u8]) -> WebVtt {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let has_header = text
        .strip_prefix("WEBVTT")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']));
    // The header ends with the first empty line.
    let header = text.lines().take_while(|line| !line.trim().is_empty());
    WebVtt {
        has_header,
        has_timestamp_map: header
            .into_iter()
            .any(|line| line.starts_with("X-TIMESTAMP-MAP=")),
        bad_cue: text
            .lines()
            .filter(|line| line.contains("-->"))
            .find(|line| !is_cue(line))
            .map(super::playlist::shown),
    }
}

fn is_cue(line: &str) -> bool {
    let Some((from, rest)) = line.split_once("-->") else {
        return false;
    };
    let to = rest.split_whitespace().next().unwrap_or("");
    matches!((millis(from.trim()), millis(to)), (Some(from), Some(to)) if from < to)
}

/// `[hh:]mm:ss.mmm` in milliseconds.
fn millis(text: &str) -> Option<u64> {
    let (clock, fraction) = text.split_once('.')?;
    let parts: Vec<&str> = clock.split(':').collect();
    let (hours, [minutes, seconds]) = match parts[..] {
        [minutes, seconds] => ("0", [minutes, seconds]),
        [hours, minutes, seconds] => (hours, [minutes, seconds]),
        _ => return None,
    };
    let digits = |text: &str, count: usize| {
        (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u64>().ok())
            .flatten()
    };
    let hours: u64 = hours.parse().ok().filter(|hours| *hours < 1 << 32)?;
    let (minutes, seconds) = (digits(minutes, 2)?, digits(seconds, 2)?);
    (minutes < 60 && seconds < 60)
        .then_some(())
        .and(digits(fraction, 3))
        .map(|millis| ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets() -> Vec<u8> {
        let mut pat = vec![
            SYNC, 0x40, 0, 0x10, 0, 0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe1, 0,
        ];
        pat.resize(PACKET, 0xff);
        let mut pmt = vec![SYNC, 0x41, 0, 0x10];
        pmt.resize(PACKET, 0xff);
        [pat, pmt].concat()
    }

    #[test]
    fn a_transport_stream_is_packets_that_begin_with_its_tables() {
        let good = packets();
        assert_eq!(transport_stream(&good), Ok(()));
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            bytes
        };
        for (bytes, expected) in [
            (good[..300].to_vec(), "its 300 bytes are no whole packets"),
            (vec![], "its 0 bytes are no whole packets"),
            (with(PACKET, 0), "packet 1 does not start with 0x47"),
            (with(2, 0x20), "it has no PAT before its media"),
            (
                with(PACKET + 2, 1),
                "it has no PMT of its PAT before its media",
            ),
            (
                good[..PACKET].to_vec(),
                "it has no PMT of its PAT before its media",
            ),
            (with(4, 255), "it has no PMT of its PAT before its media"),
        ] {
            assert_eq!(transport_stream(&bytes), Err(expected.to_owned()));
        }
    }

    #[test]
    fn webvtt_has_a_header_a_map_and_cues_that_end_after_they_begin() {
        let good = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n00:01.000 --> 01:00:02.000 line:0\nHi\n";
        assert_eq!(
            web_vtt(good.as_bytes()),
            WebVtt {
                has_header: true,
                has_timestamp_map: true,
                bad_cue: None
            }
        );
        for (text, header, map, cue) in [
            ("", false, false, None),
            ("WEBVTTX", false, false, None),
            ("\u{feff}WEBVTT", true, false, None),
            ("WEBVTT\n\nX-TIMESTAMP-MAP=MPEGTS:0", true, false, None),
            ("WEBVTT\n\n1 --> 2", true, false, Some("1 --> 2")),
            (
                "WEBVTT\n\n00:02.000 --> 00:01.000",
                true,
                false,
                Some("00:02.000 --> 00:01.000"),
            ),
            (
                "WEBVTT\n\n00:61.000 --> 01:02.000",
                true,
                false,
                Some("00:61.000 --> 01:02.000"),
            ),
        ] {
            let expected = WebVtt {
                has_header: header,
                has_timestamp_map: map,
                bad_cue: cue.map(str::to_owned),
            };
            assert_eq!(web_vtt(text.as_bytes()), expected, "{text}");
        }
    }
}
