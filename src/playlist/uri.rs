//! The parts of a URI reference, and the position of a pass in it.

/// The query parameter that carries a pass.
const PASS_PARAMETER: &str = "p";

/// A URI's path (scheme and authority included) and query.
pub(super) struct UriParts<'uri> {
    pub(super) path: &'uri str,
    query: Option<&'uri str>,
    /// The fragment with its `#`, or empty.
    pub(super) fragment: &'uri str,
}

/// Returns whether every reader reads a URI alike, with its variables.
///
/// A URI is ambiguous with characters that some readers trim or break a line at, with a possible
/// variable (Shaka Player reads `%7B` as `{`), and with a possible tag (hls.js finds tags anywhere
/// in a line).
pub(super) fn is_unambiguous(uri: &str) -> bool {
    let is_odd = |character: char| {
        character.is_control()
            || (character.is_whitespace() && character != ' ')
            || character == '\u{feff}'
    };
    let refers = |at: usize, brace: usize| {
        let behind = &uri.as_bytes()[at + brace..];
        behind.starts_with(b"$") || behind.starts_with(b"%24")
    };
    let bytes = uri.as_bytes();
    let is_marked = memchr::memchr3_iter(b'{', b'%', b'#', bytes).any(|at| match bytes[at] {
        b'{' => refers(at, 1),
        b'#' => bytes[at..].starts_with(b"#EXT"),
        _ => matches!(bytes[at + 1..], [b'7', b'b' | b'B', ..]) && refers(at, 3),
    });
    !is_marked && !uri.contains(is_odd)
}

impl<'uri> UriParts<'uri> {
    pub(super) fn of(uri: &'uri str) -> Self {
        let fragment_at = uri.find('#').unwrap_or(uri.len());
        let (before_fragment, fragment) = uri.split_at(fragment_at);
        let (path, query) = match before_fragment.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (before_fragment, None),
        };
        Self {
            path,
            query,
            fragment,
        }
    }

    /// The parts of a plain path.
    pub(super) fn plain(path: &'uri str) -> Self {
        Self {
            path,
            query: None,
            fragment: "",
        }
    }

    /// Writes the query without an existing pass, up to the position of the new one.
    pub(super) fn write_query(&self, out: &mut Vec<u8>) {
        if self.query.is_none() {
            return out.extend_from_slice(b"?p=");
        }
        let mut separator = b'?';
        for parameter in self.query.into_iter().flat_map(|query| query.split('&')) {
            let name = parameter.split('=').next().unwrap_or(parameter);
            if name == PASS_PARAMETER {
                continue;
            }
            out.push(separator);
            out.extend_from_slice(parameter.as_bytes());
            separator = b'&';
        }
        out.push(separator);
        out.extend_from_slice(PASS_PARAMETER.as_bytes());
        out.push(b'=');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_ambiguous_where_some_reader_takes_it_for_another() {
        for (uri, expected) in [
            ("a b/é.ts?x={y}&z=%7Bg%7D#t=1", true),
            ("{$h}/a.ts", false),
            ("{%24h}/a.ts", false),
            ("%7B$h%7D/a.ts", false),
            ("%7b%24h%7d/a.ts", false),
            ("a%7", true),
            ("a.ts?x=\t", false),
            ("a.ts?\u{2028}", false),
            ("a.ts\u{a0}", false),
            ("\u{feff}a.ts", false),
            ("a.ts#EXT-X-MEDIA:URI=", false),
            ("a.ts?#EXTINF", false),
        ] {
            assert_eq!(is_unambiguous(uri), expected, "{uri:?}");
        }
    }
}
