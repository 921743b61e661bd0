//! Resolution of a playlist's URI to an object key (RFC 3986 §5.2).

use crate::object::key::{Directory, MAX_OBJECT_KEY_BYTES, ObjectKey};

/// The URL of a playlist, to which its URIs are relative.
#[derive(Debug, Clone)]
pub struct Base<'request> {
    /// Scheme, host and port as the client wrote them, without a trailing slash:
    /// `https://video.example.org`.
    pub origin: &'request str,
    pub key: &'request ObjectKey,
}

/// The object of a URI: a directory (with its slash, or empty) and a name, both decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ResolvedUri<'playlist> {
    /// A sibling of the playlist, like nearly every segment. It costs no allocation.
    Sibling(&'playlist str),
    Elsewhere(ObjectKey),
}

impl ResolvedUri<'_> {
    /// The directory and the name; `own` is the playlist's directory.
    pub(super) fn split<'target>(&'target self, own: &'target str) -> (&'target str, &'target str) {
        match self {
            Self::Sibling(name) => (own, name),
            Self::Elsewhere(key) => key.split(),
        }
    }
}

/// Resolves the path of a URI (without query and fragment). Returns `None` for another origin or
/// scheme, for an object outside `root`, and for an ambiguous path: none of these is ever signed.
pub(super) fn resolve<'playlist>(
    base: &Base<'_>,
    root: &Directory,
    path: &'playlist str,
) -> Option<ResolvedUri<'playlist>> {
    if is_plain_name(path) {
        return fits(base.key.split().0, path).then_some(ResolvedUri::Sibling(path));
    }
    // Clients drop white space around a URI (WHATWG URL, basic parser), also in an attribute.
    if path.trim_ascii() != path {
        return None;
    }
    let path = path_on_our_origin(base.origin, path)?;
    let mut segments: Vec<&str> = Vec::new();
    let relative = match path.strip_prefix('/') {
        Some(absolute) => absolute,
        None => {
            segments.extend(base.key.split().0.split_terminator('/'));
            path
        }
    };
    // The base's segments are decoded, and the reference's are not. Only `..` reads them before
    // they are separated below.
    let from_base = segments.len();
    let mut kept_of_base = from_base;
    for segment in relative.split('/') {
        match segment {
            "." => {}
            ".." => {
                segments.pop();
                kept_of_base = kept_of_base.min(segments.len());
            }
            // Each segment is checked, also those that `..` removes later, because clients may read
            // them differently: `%2e%2e` is `..` to a browser.
            segment => {
                ObjectKey::new(crate::object::key::percent_decode(segment).ok()?).ok()?;
                segments.push(segment);
            }
        }
    }
    if matches!(relative.rsplit('/').next(), Some("." | "..")) {
        return None;
    }
    let (base_part, reference_part) = segments.split_at(kept_of_base);
    let mut key = String::with_capacity(base.key.as_str().len() + path.len());
    for segment in base_part {
        key.push_str(segment);
        key.push('/');
    }
    key.push_str(&crate::object::key::percent_decode(&reference_part.join("/")).ok()?);
    let key = ObjectKey::new(key).ok()?;
    root.contains(&key).then_some(ResolvedUri::Elsewhere(key))
}

/// The URL of an object on the edge's origin, without a query.
pub(super) fn absolute_url(base: &Base<'_>, directory: &str, name: &str) -> String {
    let key = ObjectKey::new(format!("{directory}{name}"));
    let path = key.map(|key| key.to_url_path()).unwrap_or_default();
    format!("{}{path}", base.origin)
}

/// Returns whether a name makes an object key in its directory, within R2's limit.
pub(super) fn fits(directory: &str, name: &str) -> bool {
    directory.len() + name.len() <= MAX_OBJECT_KEY_BYTES
}

/// Returns whether a name needs neither decoding nor resolving.
pub(super) fn is_plain_name(path: &str) -> bool {
    path.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && !matches!(path, "" | "." | "..")
}

/// The path of a URI reference, if it is to the edge's origin.
fn path_on_our_origin<'uri>(origin: &str, uri: &'uri str) -> Option<&'uri str> {
    let scheme_ends = origin.find('/').unwrap_or(0);
    let (our_scheme, our_authority) = origin.split_at_checked(scheme_ends)?;
    let after_scheme = match uri.split_once(':') {
        // A colon in a later segment is not a scheme's (RFC 3986 §4.2).
        Some((scheme, after)) if !scheme.contains('/') => {
            if !our_scheme
                .strip_suffix(':')
                .is_some_and(|ours| scheme.eq_ignore_ascii_case(ours))
            {
                return None;
            }
            // `https:path` is ambiguous (RFC 3986 §5.2.2), so only the full form counts.
            after.starts_with("//").then_some(after)?
        }
        _ => uri,
    };
    if !after_scheme.starts_with("//") {
        return Some(after_scheme).filter(|path| !path.is_empty());
    }
    let path_starts = after_scheme.strip_prefix("//")?.find('/')? + 2;
    let (authority, path) = after_scheme.split_at_checked(path_starts)?;
    let default_port = if our_scheme == "https:" {
        ":443"
    } else {
        ":80"
    };
    let authority = authority.strip_suffix(default_port).unwrap_or(authority);
    // Both `our_authority` and `authority` begin with the slashes.
    authority
        .eq_ignore_ascii_case(our_authority)
        .then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_of_ours_below_the_root_is_named() {
        let key = ObjectKey::new("courses/a b/v/p.m3u8").expect("a key");
        let base = Base {
            origin: "https://video.example.org",
            key: &key,
        };
        let root = Directory::ancestor_of(&key, 2).expect("a directory");
        for (uri, expected) in [
            ("seg.ts", Some("courses/a b/v/seg.ts")),
            ("./seg.ts", Some("courses/a b/v/seg.ts")),
            ("x/../seg.ts", Some("courses/a b/v/seg.ts")),
            ("../q/seg.ts", Some("courses/a b/q/seg.ts")),
            ("s%20p é+'()~.ts", Some("courses/a b/v/s p é+'()~.ts")),
            ("/courses/a%20b/s.ts", Some("courses/a b/s.ts")),
            (
                "//video.example.org/courses/a%20b/s.ts",
                Some("courses/a b/s.ts"),
            ),
            (
                "HTTPS://Video.Example.org/courses/a%20b/s.ts",
                Some("courses/a b/s.ts"),
            ),
            ("a/b:c.ts", Some("courses/a b/v/a/b:c.ts")),
            (
                "https://video.example.org:443/courses/a%20b/s.ts",
                Some("courses/a b/s.ts"),
            ),
            // Outside the root.
            ("../../s.ts", None),
            ("/courses/a%20bc/s.ts", None),
            ("../../a bc/s.ts", None),
            ("/../../s.ts", None),
            // Other origins.
            ("http://video.example.org/courses/a%20b/s.ts", None),
            ("https://video.example.org:8443/courses/a%20b/s.ts", None),
            ("https://user@video.example.org/courses/a%20b/s.ts", None),
            ("https://video.example.org.evil/courses/a%20b/s.ts", None),
            ("//evil.example/courses/a%20b/s.ts", None),
            ("https:/courses/a%20b/s.ts", None),
            ("https:seg.ts", None),
            ("https://video.example.org", None),
            ("data:text/plain,x", None),
            ("skd://key", None),
            ("urn:uuid:1", None),
            ("b:c.ts", None),
            // Ambiguous, or not the name of an object.
            ("", None),
            (".", None),
            ("..", None),
            ("x/..", None),
            ("x/", None),
            ("x//y", None),
            // Cloudflare merges slashes or keeps them, as the zone's URL normalization says.
            (".//s.ts", None),
            ("%2e%2e/s.ts", None),
            ("%2e%2e/../s.ts", None),
            ("%2e/../s.ts", None),
            ("a\\b/../s.ts", None),
            ("\u{e}./../s.ts", None),
            ("a;b/../s.ts", None),
            ("%zz/../s.ts", None),
            (" s.ts", None),
            ("s.ts ", None),
            ("https://video.example.org:80/courses/a%20b/s.ts", None),
            ("..%2fs.ts", None),
            ("x%5cs.ts", None),
            ("x\\s.ts", None),
            ("%252e/s.ts", None),
            ("s\t.ts", None),
            ("s%00.ts", None),
            ("%zz.ts", None),
        ] {
            let found = resolve(&base, &root, uri).map(|target| match target {
                ResolvedUri::Sibling(name) => format!("{}{name}", key.split().0),
                ResolvedUri::Elsewhere(key) => key.as_str().to_owned(),
            });
            assert_eq!(found.as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_for_a_key_is_not_signed() {
        let key = ObjectKey::new("c/p.m3u8").expect("a key");
        let base = Base {
            origin: "https://video.example.org",
            key: &key,
        };
        let named = |length: usize| resolve(&base, &key.directory(), &"n".repeat(length)).is_some();
        assert!(named(1022));
        assert!(!named(1023));
    }

    #[test]
    fn a_key_with_a_percent_sign_is_not_decoded_as_part_of_a_reference() {
        let key = ObjectKey::new("50% off/p.m3u8").expect("a key");
        let base = Base {
            origin: "http://localhost:8787",
            key: &key,
        };
        assert_eq!(
            resolve(&base, &key.directory(), "./s.ts"),
            ObjectKey::new("50% off/s.ts")
                .ok()
                .map(ResolvedUri::Elsewhere)
        );
    }
}
