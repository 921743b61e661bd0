//! Text that is safe to show: URLs without credentials, lines without terminal control. Pure.

/// Maximum characters of a name in a message.
const MOST_CHARACTERS: usize = 200;

/// Removes user, query and fragment from a URL, because each may be a credential. Other text is a
/// name and stays.
pub(crate) fn redacted(text: &str) -> String {
    let shown = |text: &str| text.chars().take(MOST_CHARACTERS).collect::<String>();
    let Some((scheme, rest)) = text.split_once("://") else {
        return shown(text);
    };
    let (plain, is_cut) = match rest.find(['?', '#']) {
        Some(end) => (&rest[..end], true),
        None => (rest, false),
    };
    let (authority, path) = plain.split_at(plain.find(['/', '\\']).unwrap_or(plain.len()));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let end = if is_cut { "?…" } else { "" };
    format!("{}{end}", shown(&format!("{scheme}://{host}{path}")))
}

/// Removes possible credentials from a malformed URL: a query, a fragment or a user, even without a
/// scheme.
pub(crate) fn redacted_target(text: &str) -> String {
    let (plain, end) = match text.find(['?', '#']) {
        Some(end) => (&text[..end], "?…"),
        None => (text, ""),
    };
    let (scheme, rest) = match plain.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['@', '/']) => (format!("{scheme}://"), rest),
        _ => (String::new(), plain),
    };
    let rest = match rest.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => rest.to_owned(),
    };
    let shown: String = format!("{scheme}{rest}")
        .chars()
        .take(MOST_CHARACTERS)
        .collect();
    shown + end
}

/// Puts text on one line: names come from uploaders, and a line of a log is one event.
pub(crate) fn on_one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmless(character) {
            out.push(character);
        } else {
            out.extend(character.escape_default());
        }
    }
    out
}

/// Rejects control characters and bidirectional controls (Unicode TR 9).
pub(crate) fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_opens_it_and_a_file_as_it_is_called() {
        for (text, expected) in [
            ("https://h/a.m3u8?token=s", "https://h/a.m3u8?…"),
            ("https://h/a.m3u8#s", "https://h/a.m3u8?…"),
            ("https://u:s@h:8443/a", "https://h:8443/a"),
            ("https://u:s@h", "https://h"),
            ("https://u:s/@h", "https://u:s/@h"),
            ("https://h/a@b", "https://h/a@b"),
            ("https://u:s@?x", "https://?…"),
            ("HTTPS://h?s", "HTTPS://h?…"),
            ("r2://bucket/a.mov", "r2://bucket/a.mov"),
            ("what? #1.mov", "what? #1.mov"),
        ] {
            assert_eq!(redacted(text), expected, "{text}");
        }
        assert_eq!(redacted(&"x".repeat(999)).len(), MOST_CHARACTERS);
    }

    #[test]
    fn text_that_is_no_url_is_shown_without_credentials() {
        for (text, expected) in [
            ("/srv/lectures", "/srv/lectures"),
            ("https:?token=s", "https:?…"),
            ("h/a?next=https://b&token=s", "h/a?…"),
            ("https://h:99999/#s", "https://h:99999/?…"),
            ("https://u:s@h:99999/", "https://…@h:99999/"),
            ("https://u:s/@h", "https://…@h"),
            ("u:s@h/a", "…@h/a"),
            ("u:s@https://h", "…@https://h"),
        ] {
            assert_eq!(redacted_target(text), expected, "{text}");
        }
        assert_eq!(redacted_target(&"x".repeat(999)).len(), MOST_CHARACTERS);
    }

    #[test]
    fn a_name_with_line_breaks_stays_on_its_line() {
        for (text, expected) in [
            ("café — `a`", "café — `a`"),
            ("a\nerror: b\r", "a\\nerror: b\\r"),
            ("a\u{1b}[2Jb\u{9b}", "a\\u{1b}[2Jb\\u{9b}"),
            ("gpj\u{202e}.mov", "gpj\\u{202e}.mov"),
        ] {
            assert_eq!(on_one_line(text), expected);
        }
    }
}
