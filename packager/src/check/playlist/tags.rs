//! The tags of RFC 8216bis §4.4, with their attributes and their place.

use super::attributes::{AttributeRule, ValueForm as Form};

/// A tag of the standard.
#[derive(Debug)]
pub(super) struct TagRule {
    pub(super) name: &'static str,
    pub(super) content: TagContent,
    pub(super) place: TagPlace,
    /// A playlist has the tag once.
    pub(super) is_single: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum TagContent {
    Nothing,
    Integer,
    Word(&'static [&'static str]),
    Attributes(&'static [AttributeRule]),
    /// The reader examines it.
    Other,
}

/// Kind of playlist that a tag belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagPlace {
    Both,
    Media,
    Multivariant,
}

const fn required(name: &'static str, form: Form) -> AttributeRule {
    AttributeRule {
        name,
        form,
        is_required: true,
    }
}

const fn optional(name: &'static str, form: Form) -> AttributeRule {
    AttributeRule {
        name,
        form,
        is_required: false,
    }
}

const YES_NO: Form = Form::Word(&["YES", "NO"]);
const YES: Form = Form::Word(&["YES"]);
const HDCP: Form = Form::Word(&["TYPE-0", "TYPE-1", "NONE"]);
const RANGES: Form = Form::Word(&["SDR", "HLG", "PQ"]);

const KEY: &[AttributeRule] = &[
    // The last three are in use and in no draft.
    required(
        "METHOD",
        Form::Word(&[
            "NONE",
            "AES-128",
            "SAMPLE-AES",
            "SAMPLE-AES-CTR",
            "SAMPLE-AES-CENC",
            "AES-256",
            "AES-256-CTR",
        ]),
    ),
    optional("URI", Form::Uri),
    optional("IV", Form::Iv),
    optional("KEYFORMAT", Form::Text),
    optional("KEYFORMATVERSIONS", Form::Text),
];

const STREAM_INF: &[AttributeRule] = &[
    required("BANDWIDTH", Form::Integer),
    optional("AVERAGE-BANDWIDTH", Form::Integer),
    optional("SCORE", Form::Float),
    optional("CODECS", Form::Codecs),
    optional("SUPPLEMENTAL-CODECS", Form::Codecs),
    optional("RESOLUTION", Form::Resolution),
    optional("FRAME-RATE", Form::Float),
    optional("HDCP-LEVEL", HDCP),
    optional("ALLOWED-CPC", Form::Text),
    optional("VIDEO-RANGE", RANGES),
    optional("REQ-VIDEO-LAYOUT", Form::Text),
    optional("STABLE-VARIANT-ID", Form::StableId),
    optional("AUDIO", Form::Text),
    optional("VIDEO", Form::Text),
    optional("SUBTITLES", Form::Text),
    optional("CLOSED-CAPTIONS", Form::TextOrNone),
    optional("PATHWAY-ID", Form::Text),
];

const I_FRAME_STREAM_INF: &[AttributeRule] = &[
    required("BANDWIDTH", Form::Integer),
    required("URI", Form::Uri),
    optional("AVERAGE-BANDWIDTH", Form::Integer),
    optional("SCORE", Form::Float),
    optional("CODECS", Form::Codecs),
    optional("SUPPLEMENTAL-CODECS", Form::Codecs),
    optional("RESOLUTION", Form::Resolution),
    optional("HDCP-LEVEL", HDCP),
    optional("ALLOWED-CPC", Form::Text),
    optional("VIDEO-RANGE", RANGES),
    optional("STABLE-VARIANT-ID", Form::StableId),
    optional("VIDEO", Form::Text),
    optional("PATHWAY-ID", Form::Text),
];

/// Other rules require TYPE, GROUP-ID, NAME, and the attributes of each type.
const MEDIA: &[AttributeRule] = &[
    optional(
        "TYPE",
        Form::Word(&["AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"]),
    ),
    optional("URI", Form::Uri),
    optional("GROUP-ID", Form::Text),
    optional("LANGUAGE", Form::Text),
    optional("ASSOC-LANGUAGE", Form::Text),
    optional("NAME", Form::Text),
    optional("STABLE-RENDITION-ID", Form::StableId),
    optional("DEFAULT", YES_NO),
    optional("AUTOSELECT", YES_NO),
    optional("FORCED", YES_NO),
    optional("INSTREAM-ID", Form::Instream),
    optional("BIT-DEPTH", Form::Integer),
    optional("SAMPLE-RATE", Form::Integer),
    optional("CHARACTERISTICS", Form::Text),
    optional("CHANNELS", Form::Text),
];

const DATERANGE: &[AttributeRule] = &[
    required("ID", Form::Text),
    optional("CLASS", Form::Text),
    optional("START-DATE", Form::Date),
    optional("END-DATE", Form::Date),
    optional("CUE", Form::Words(&["PRE", "POST", "ONCE"])),
    optional("DURATION", Form::Float),
    optional("PLANNED-DURATION", Form::Float),
    optional("SCTE35-CMD", Form::Hex),
    optional("SCTE35-OUT", Form::Hex),
    optional("SCTE35-IN", Form::Hex),
    optional("END-ON-NEXT", YES),
];

const fn tag(name: &'static str, place: TagPlace, is_single: bool, content: TagContent) -> TagRule {
    TagRule {
        name,
        content,
        place,
        is_single,
    }
}

use TagContent::{Attributes, Integer, Nothing, Other, Word};
use TagPlace::{Both, Media, Multivariant};

const TAGS: &[TagRule] = &[
    tag("#EXTM3U", Both, true, Nothing),
    tag("#EXT-X-VERSION", Both, true, Integer),
    tag("#EXT-X-INDEPENDENT-SEGMENTS", Both, true, Nothing),
    tag(
        "#EXT-X-START",
        Both,
        true,
        Attributes(&[
            required("TIME-OFFSET", Form::SignedFloat),
            optional("PRECISE", YES_NO),
        ]),
    ),
    tag(
        "#EXT-X-DEFINE",
        Both,
        false,
        Attributes(&[
            optional("NAME", Form::Text),
            optional("VALUE", Form::Text),
            optional("IMPORT", Form::Text),
            optional("QUERYPARAM", Form::Text),
        ]),
    ),
    tag("#EXT-X-TARGETDURATION", Media, true, Integer),
    tag("#EXT-X-MEDIA-SEQUENCE", Media, true, Integer),
    tag("#EXT-X-DISCONTINUITY-SEQUENCE", Media, true, Integer),
    tag("#EXT-X-ENDLIST", Media, true, Nothing),
    tag("#EXT-X-PLAYLIST-TYPE", Media, true, Word(&["EVENT", "VOD"])),
    tag("#EXT-X-I-FRAMES-ONLY", Media, true, Nothing),
    tag(
        "#EXT-X-PART-INF",
        Media,
        true,
        Attributes(&[required("PART-TARGET", Form::Float)]),
    ),
    tag(
        "#EXT-X-SERVER-CONTROL",
        Media,
        true,
        Attributes(&[
            optional("CAN-SKIP-UNTIL", Form::Float),
            optional("CAN-SKIP-DATERANGES", YES_NO),
            optional("HOLD-BACK", Form::Float),
            optional("PART-HOLD-BACK", Form::Float),
            optional("CAN-BLOCK-RELOAD", YES_NO),
        ]),
    ),
    tag("#EXTINF", Media, false, Other),
    tag("#EXT-X-BYTERANGE", Media, false, Other),
    tag("#EXT-X-DISCONTINUITY", Media, false, Nothing),
    tag("#EXT-X-KEY", Media, false, Attributes(KEY)),
    tag(
        "#EXT-X-MAP",
        Media,
        false,
        Attributes(&[
            required("URI", Form::Uri),
            optional("BYTERANGE", Form::ByteRange),
        ]),
    ),
    tag("#EXT-X-PROGRAM-DATE-TIME", Media, false, Other),
    tag("#EXT-X-GAP", Media, false, Nothing),
    tag("#EXT-X-BITRATE", Media, false, Integer),
    tag(
        "#EXT-X-PART",
        Media,
        false,
        Attributes(&[
            required("URI", Form::Uri),
            required("DURATION", Form::Float),
            optional("INDEPENDENT", YES_NO),
            optional("BYTERANGE", Form::PartRange),
            optional("GAP", YES_NO),
        ]),
    ),
    tag("#EXT-X-DATERANGE", Media, false, Attributes(DATERANGE)),
    tag(
        "#EXT-X-SKIP",
        Media,
        true,
        Attributes(&[
            required("SKIPPED-SEGMENTS", Form::Integer),
            optional("RECENTLY-REMOVED-DATERANGES", Form::Text),
        ]),
    ),
    tag(
        "#EXT-X-PRELOAD-HINT",
        Media,
        false,
        Attributes(&[
            required("TYPE", Form::Word(&["PART", "MAP"])),
            required("URI", Form::Uri),
            optional("BYTERANGE-START", Form::Integer),
            optional("BYTERANGE-LENGTH", Form::Integer),
        ]),
    ),
    tag(
        "#EXT-X-RENDITION-REPORT",
        Media,
        false,
        Attributes(&[
            optional("URI", Form::Uri),
            optional("LAST-MSN", Form::Integer),
            optional("LAST-PART", Form::Integer),
        ]),
    ),
    tag("#EXT-X-MEDIA", Multivariant, false, Attributes(MEDIA)),
    tag(
        "#EXT-X-STREAM-INF",
        Multivariant,
        false,
        Attributes(STREAM_INF),
    ),
    tag(
        "#EXT-X-I-FRAME-STREAM-INF",
        Multivariant,
        false,
        Attributes(I_FRAME_STREAM_INF),
    ),
    tag(
        "#EXT-X-SESSION-DATA",
        Multivariant,
        false,
        // Another rule requires DATA-ID.
        Attributes(&[
            optional("DATA-ID", Form::Text),
            optional("VALUE", Form::Text),
            optional("URI", Form::Uri),
            optional("FORMAT", Form::Word(&["JSON", "RAW"])),
            optional("LANGUAGE", Form::Text),
        ]),
    ),
    tag("#EXT-X-SESSION-KEY", Multivariant, false, Attributes(KEY)),
    tag(
        "#EXT-X-CONTENT-STEERING",
        Multivariant,
        true,
        Attributes(&[
            required("SERVER-URI", Form::Uri),
            optional("PATHWAY-ID", Form::Text),
        ]),
    ),
];

pub(super) fn find(name: &str) -> Option<&'static TagRule> {
    TAGS.iter().find(|rule| rule.name == name)
}
