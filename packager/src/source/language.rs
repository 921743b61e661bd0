//! Converts language codes of containers to those of playlists.

/// Converts ISO 639-2 to BCP 47, which requires the shortest code (RFC 5646 §2.2.1). The code names
/// a folder and stands in an attribute, so anything but a plain tag becomes `und`.
pub(crate) fn language(tag: &str) -> String {
    let tag = tag.trim().to_ascii_lowercase();
    let short = match tag.as_str() {
        "ara" => "ar",
        "chi" | "zho" => "zh",
        "cze" | "ces" => "cs",
        "dan" => "da",
        "dut" | "nld" => "nl",
        "eng" => "en",
        "fin" => "fi",
        "fre" | "fra" => "fr",
        "ger" | "deu" => "de",
        "gre" | "ell" => "el",
        "heb" => "he",
        "hin" => "hi",
        "hun" => "hu",
        "ita" => "it",
        "jpn" => "ja",
        "kor" => "ko",
        "nor" => "no",
        "pol" => "pl",
        "por" => "pt",
        "rum" | "ron" => "ro",
        "rus" => "ru",
        "spa" => "es",
        "swe" => "sv",
        "tur" => "tr",
        "ukr" => "uk",
        "vie" => "vi",
        other => other,
    };
    let is_plain = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let primary = short.split('-').next().unwrap_or("");
    if short.len() <= 35 && (2..=3).contains(&primary.len()) && short.split('-').all(is_plain) {
        short.to_owned()
    } else {
        "und".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_a_short_plain_tag_or_und() {
        for (tag, expected) in [
            ("eng", "en"),
            ("GER", "de"),
            ("pt-BR", "pt-br"),
            ("gsw", "gsw"),
            ("", "und"),
            ("und", "und"),
            ("../../etc", "und"),
            ("en\"", "und"),
            ("english language", "und"),
        ] {
            assert_eq!(language(tag), expected, "{tag}");
        }
    }
}
