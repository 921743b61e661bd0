//! DASH manifests (ISO/IEC 23009-1) below a directory's pass, which their relative URLs inherit.
//!
//! A manifest is served as stored, so it must not send players, with the pass in the path, to
//! another host. Content Steering, metrics reporting, client data, other locations and XLinks can.
//! The check allows the elements that recordings use, and refuses all others. It reads bytes, not
//! XML: for every parser an element begins with `<` and its name.

use super::rewrite::{MAX_PLAYLIST_BYTES, PlaylistError};

/// Elements that can lead to Media Segments only, or to a host that they name themselves.
const ELEMENTS: [&[u8]; 46] = [
    b"MPD",
    b"ProgramInformation",
    b"Title",
    b"Source",
    b"Copyright",
    b"Period",
    b"AssetIdentifier",
    b"AdaptationSet",
    b"Representation",
    b"SubRepresentation",
    b"ContentComponent",
    b"BaseURL",
    b"SegmentBase",
    b"SegmentList",
    b"SegmentURL",
    b"SegmentTemplate",
    b"SegmentTimeline",
    b"S",
    b"Initialization",
    b"RepresentationIndex",
    b"BitstreamSwitching",
    b"Role",
    b"Accessibility",
    b"Rating",
    b"Viewpoint",
    b"Label",
    b"GroupLabel",
    b"FramePacking",
    b"AudioChannelConfiguration",
    b"OutputProtection",
    b"ContentProtection",
    b"pssh",
    b"pro",
    b"EssentialProperty",
    b"SupplementalProperty",
    b"InbandEventStream",
    b"Switching",
    b"RandomAccess",
    b"Resync",
    b"ProducerReferenceTime",
    b"Preselection",
    b"ServiceDescription",
    b"Scope",
    b"Latency",
    b"PlaybackRate",
    b"OperatingBandwidth",
];

/// Root elements that dash.js looks for: of a manifest, of its update, and of Smooth Streaming.
const ROOTS: [&[u8]; 3] = [b"MPD", b"Patch", b"SmoothStreamingMedia"];

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Attributes that lead elsewhere: XLinks, and parameters copied from the manifest's URL.
const ATTRIBUTES: [&[u8]; 2] = [b":href", b"urlparam"];

/// Checks a manifest.
///
/// # Errors
/// When it is too large, or may lead players to another host.
pub fn check_manifest(manifest: &[u8]) -> Result<(), PlaylistError> {
    if manifest.len() > MAX_PLAYLIST_BYTES {
        return Err(PlaylistError::TooLarge);
    }
    let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r' | b'\n');
    // Some encodings use control characters to switch character sets.
    let is_text = str::from_utf8(manifest).is_ok() && !manifest.iter().any(is_control);
    let has = |wanted: &&[u8]| memchr::memmem::find(manifest, wanted).is_some();
    // An HLS player skips a byte order mark, and may skip white space, in front of `#EXTM3U`.
    let text = manifest.strip_prefix(BYTE_ORDER_MARK).unwrap_or(manifest);
    let is_xml = text.trim_ascii_start().starts_with(b"<");
    let is_safe = is_text
        && is_xml
        && is_declared_utf8(manifest)
        && !ATTRIBUTES.iter().any(has)
        && memchr::memchr_iter(b'<', manifest).all(|at| is_known(manifest, at));
    if is_safe {
        Ok(())
    } else {
        Err(PlaylistError::UnsafeManifest)
    }
}

/// Returns whether a text contains the root element of a manifest. dash.js and Shaka Player find it
/// behind any other text, such as a comment of a playlist.
pub(super) fn contains_manifest(text: &[u8]) -> bool {
    memchr::memchr_iter(b'<', text).any(|at| {
        let rest = &text[at + 1..];
        let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>' | b'<');
        let name = &rest[..rest.iter().position(ends).unwrap_or(rest.len())];
        ROOTS
            .iter()
            .any(|root| memchr::memmem::find(name, root).is_some())
    })
}

/// Returns whether the XML declaration, if there is one, names UTF-8 or no encoding.
fn is_declared_utf8(manifest: &[u8]) -> bool {
    let text = manifest.strip_prefix(BYTE_ORDER_MARK).unwrap_or(manifest);
    let Some(rest) = text.strip_prefix(b"<?xml") else {
        return true;
    };
    let Some(end) = memchr::memmem::find(rest, b"?>") else {
        return false;
    };
    let declaration = rest[..end].to_ascii_lowercase();
    match memchr::memmem::find(&declaration, b"encoding") {
        None => true,
        Some(at) => {
            let value = declaration[at + b"encoding".len()..].trim_ascii();
            matches!(value.strip_prefix(b"="), Some(value)
                if value.trim_ascii().starts_with(b"\"utf-8\"")
                    || value.trim_ascii().starts_with(b"'utf-8'"))
        }
    }
}

/// Returns whether the `<` at byte `at` begins an element of [`ELEMENTS`], a comment, or the XML declaration.
fn is_known(manifest: &[u8], at: usize) -> bool {
    let rest = &manifest[at + 1..];
    if rest.starts_with(b"!--") {
        return true;
    }
    if rest.starts_with(b"?xml ") {
        return at == 0 || (at == BYTE_ORDER_MARK.len() && manifest.starts_with(BYTE_ORDER_MARK));
    }
    let rest = rest.strip_prefix(b"/").unwrap_or(rest);
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_');
    let length = rest.iter().take_while(is_name).count();
    let (name, behind) = rest.split_at(length);
    let local = name.rsplit(|&byte| byte == b':').next().unwrap_or(name);
    let ends = matches!(
        behind.first(),
        Some(b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>')
    );
    ends && ELEMENTS.contains(&local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_element_is_found_behind_any_text() {
        for (text, expected) in [
            ("#EXTM3U\n<MPD type=\"static\">", true),
            ("#EXTM3U\n#<MPD>", true),
            ("WEBVTT\n\nNOTE\n<MPD\n>", true),
            ("#EXTM3U\n<dash:MPD>", true),
            ("#EXTM3U\n<a<MPD>", true),
            ("#EXTM3U\n<Patch>", true),
            ("#EXTM3U\n<SmoothStreamingMedia>", true),
            ("<MPD", true),
            ("#EXTM3U\n#EXTINF:4,a < b, MPD\nMPD.ts", false),
            ("WEBVTT\n\n<i>MPD</i>", false),
        ] {
            assert_eq!(contains_manifest(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn text_that_an_hls_player_may_read_is_no_manifest() {
        for text in [
            "\u{feff}#EXTM3U",
            "\n#EXTM3U",
            " #EXTM3U",
            "\r#EXTM3U",
            "#EXTM3U",
            "",
            "MPD <MPD/>",
        ] {
            assert!(check_manifest(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(check_manifest(b"\xEF\xBB\xBF\n <MPD/>").is_ok());
    }

    #[test]
    fn a_manifest_is_safe_if_all_of_it_is_known() {
        for (manifest, expected) in [
            ("<MPD><Period/></MPD>", true),
            (
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a -->\n<MPD xmlns:xlink=\"http://www.w3.org/1999/xlink\"><cenc:pssh>AA==</cenc:pssh></MPD>",
                true,
            ),
            ("\u{feff}<?xml version='1.0' encoding='utf-8'?><MPD/>", true),
            (
                "<MPD><ContentSteering>https://evil</ContentSteering></MPD>",
                false,
            ),
            ("<MPD><Location>next.xml</Location></MPD>", false),
            ("<MPD><PatchLocation>next.xml</PatchLocation></MPD>", false),
            (
                "<MPD><Metrics metrics=\"HttpList\"><Reporting/></Metrics></MPD>",
                false,
            ),
            (
                "<MPD><ServiceDescription><ClientDataReporting/></ServiceDescription></MPD>",
                false,
            ),
            ("<MPD><Period xlink:href=\"https://evil\"/></MPD>", false),
            ("<MPD><Period x:href=\"https://evil\"/></MPD>", false),
            (
                "<MPD><EssentialProperty schemeIdUri=\"urn:mpeg:dash:urlparam:2014\"/></MPD>",
                false,
            ),
            (
                "<!DOCTYPE MPD [<!ENTITY e '<Location/>'>]><MPD>&e;</MPD>",
                false,
            ),
            ("<MPD><![CDATA[<Location>]]></MPD>", false),
            ("<MPD><?xml-stylesheet href='x'?></MPD>", false),
            (
                "<?xml version=\"1.0\" encoding=\"ISO-2022-JP\"?><MPD/>",
                false,
            ),
            ("<?xml version=\"1.0\" encoding = 'utf-7'?><MPD/>", false),
            ("<MPD><Content\u{1b}(BSteering/></MPD>", false),
            ("<\0M\0P\0D\0", false),
            ("<MPD>< Location/></MPD>", false),
            ("<MPD><Period", false),
        ] {
            assert_eq!(
                check_manifest(manifest.as_bytes()).is_ok(),
                expected,
                "{manifest}"
            );
        }
    }
}
