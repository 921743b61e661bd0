//! Object keys and scopes: the names in URL paths, and the scope of a credential.
//!
//! A URL's path is decoded exactly once, here, into an [`ObjectKey`]. Request paths, `path` claims
//! and the URIs in playlists all use the same decoder, so a path has one meaning. This module does
//! not access storage.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::text::split_once;

/// The longest object key that R2 stores, in bytes.
pub const MAX_OBJECT_KEY_BYTES: usize = 1024;

/// The decoded name of one object in the bucket, without a leading slash.
///
/// Invariants:
/// - valid UTF-8, 1 to 1,024 bytes;
/// - no empty, `.` or `..` segment, so no leading, trailing or doubled slash;
/// - no control character, no backslash, and no semicolon: some servers read `..;` as `..` with a parameter;
/// - no percent sign followed by two hexadecimal digits: a second layer of encoding never hides in a key.
///
/// ```
/// use lectern::object::key::ObjectKey;
/// let key = ObjectKey::from_url_path("/courses/caf%C3%A9/lesson%201.m3u8").unwrap();
/// assert_eq!(key.as_str(), "courses/café/lesson 1.m3u8");
/// assert_eq!(key.to_url_path(), "/courses/caf%C3%A9/lesson%201.m3u8");
/// for refused in ["/", "//a", "/a/../b", "/a/%2e%2e/b", "/a%2fb", "/a%5cb", "/a%00", "/%252e", "/a\\b", "/a/"] {
///     assert!(ObjectKey::from_url_path(refused).is_err(), "{refused}");
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

/// The reason why a path names no object. The viewer sees `bad_path`; the operator's tools show the
/// rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObjectKeyError {
    #[error("the path does not start with a slash")]
    NotAbsolute,
    #[error("the path has an empty segment")]
    EmptySegment,
    #[error("the path has a `.` or `..` segment")]
    DotSegment,
    #[error("the path has an encoded slash or backslash")]
    EncodedSeparator,
    #[error("the path has a backslash")]
    Backslash,
    #[error("the path has a semicolon")]
    Semicolon,
    #[error("the path has a control character")]
    Control,
    #[error("the path has a percent sign without two hexadecimal digits")]
    BadEscape,
    #[error("the path is percent-encoded twice")]
    EncodedTwice,
    #[error("the path is not UTF-8")]
    NotUtf8,
    #[error("the path is longer than {MAX_OBJECT_KEY_BYTES} bytes")]
    TooLong,
}

impl ObjectKey {
    /// Creates a key from its decoded text, as the packager builds it.
    ///
    /// # Errors
    /// When an invariant of [`ObjectKey`] does not hold.
    pub fn new(key: impl Into<String>) -> Result<Self, ObjectKeyError> {
        let key = key.into();
        check_text(&key)?;
        key.split('/').try_for_each(check_segment)?;
        Ok(Self(key))
    }

    /// Decodes the path of a URL, once (RFC 3986 §2.1). The path begins with a slash and has no query.
    ///
    /// # Errors
    /// When the path is not absolute or an invariant of [`ObjectKey`] does not hold.
    pub fn from_url_path(path: &str) -> Result<Self, ObjectKeyError> {
        let path = path.strip_prefix('/').ok_or(ObjectKeyError::NotAbsolute)?;
        Self::new(percent_decode(path)?)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of this object's URL, with a leading slash. Decoding it returns this key.
    #[must_use]
    pub fn to_url_path(&self) -> String {
        percent_encode_path(&self.0)
    }

    /// The directory with its slash (empty at the top) and the last segment.
    #[must_use]
    pub fn split(&self) -> (&str, &str) {
        let at = self.0.rfind('/').map_or(0, |slash| slash + 1);
        // A slash is one byte, so the index is a character boundary.
        self.0.split_at_checked(at).unwrap_or_default()
    }

    /// The directory this object is in.
    #[must_use]
    pub fn directory(&self) -> Directory {
        Directory(self.split().0.to_owned())
    }

    /// Returns whether the object belongs to a revision, `…/v/<revision>/…`. Such objects never
    /// change.
    #[must_use]
    pub fn is_in_revision(&self) -> bool {
        is_in_revision(&self.0)
    }

    /// Returns whether the name ends in `.extension`, ignoring case.
    #[must_use]
    pub fn has_extension(&self, extension: &str) -> bool {
        self.split()
            .1
            .rsplit_once('.')
            .is_some_and(|(stem, found)| !stem.is_empty() && found.eq_ignore_ascii_case(extension))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A directory of the bucket: empty (the whole bucket) or segments that each end in a slash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Directory(String);

impl Directory {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether `key` lies below this directory. The trailing slash of a [`Directory`] is
    /// the segment boundary: `course1/` does not contain `course10/a`. A key never ends in a slash,
    /// so no key is a directory.
    #[must_use]
    pub fn contains(&self, key: &ObjectKey) -> bool {
        key.0.starts_with(&self.0)
    }

    /// The number of segments; 0 for the whole bucket.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.matches('/').count()
    }

    /// The first `depth` directories of an object's path, if it has that many.
    #[must_use]
    pub fn ancestor_of(key: &ObjectKey, depth: usize) -> Option<Self> {
        if depth == 0 {
            return Some(Self(String::new()));
        }
        let (end, _) = key.0.match_indices('/').nth(depth - 1)?;
        Some(Self(key.0.get(..=end)?.to_owned()))
    }
}

/// The scope of a credential: one object, or everything below a directory.
///
/// In the text of the `path` claim, a directory ends in a slash and an object does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum Scope {
    Object(ObjectKey),
    Directory(Directory),
}

impl Scope {
    /// Parses the decoded text of a `path` claim: `/courses/rails/` or `/courses/rails/master.m3u8`.
    ///
    /// # Errors
    /// When the text is not absolute or violates a rule of [`ObjectKey`]. `/` alone, the whole
    /// bucket, is refused too: a link that opens everything is probably a mistake.
    pub fn parse(path: &str) -> Result<Self, ObjectKeyError> {
        let path = path.strip_prefix('/').ok_or(ObjectKeyError::NotAbsolute)?;
        match path.strip_suffix('/') {
            Some(directory) => {
                let key = ObjectKey::new(directory)?;
                Ok(Self::Directory(Directory(key.0 + "/")))
            }
            None => ObjectKey::new(path).map(Self::Object),
        }
    }

    #[must_use]
    pub fn contains(&self, key: &ObjectKey) -> bool {
        match self {
            Self::Object(object) => object == key,
            Self::Directory(directory) => directory.contains(key),
        }
    }

    /// The directory that must contain the entries of a playlist opened under this scope.
    #[must_use]
    pub fn root(&self) -> Directory {
        match self {
            Self::Object(object) => object.directory(),
            Self::Directory(directory) => directory.clone(),
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object) => write!(f, "/{object}"),
            Self::Directory(directory) => write!(f, "/{}", directory.0),
        }
    }
}

/// Returns whether a key, or a path from a package's root, belongs to a revision.
pub(crate) fn is_in_revision(key: &str) -> bool {
    let rest = match key.strip_prefix("v/") {
        Some(rest) => Some(rest),
        None => split_once(key, "/v/").map(|(_, rest)| rest),
    };
    rest.is_some_and(|rest| rest.contains('/'))
}

/// The maximum length of a revision's name. The packager's have 16 characters.
const MAX_REVISION_CHARACTERS: usize = 64;

/// Returns whether a text may name a revision.
pub(crate) fn is_revision(name: &str) -> bool {
    (1..=MAX_REVISION_CHARACTERS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Decodes every `%XX` of a path. Refuses escapes that would change the path's structure.
pub(crate) fn percent_decode(path: &str) -> Result<String, ObjectKeyError> {
    // In the longest valid path, every byte is an escape of three characters.
    if path.len() > 3 * MAX_OBJECT_KEY_BYTES {
        return Err(ObjectKeyError::TooLong);
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let [high, low, after @ ..] = tail else {
            return Err(ObjectKeyError::BadEscape);
        };
        let decoded = hex(*high)
            .zip(hex(*low))
            .map(|(high, low)| high * 16 + low)
            .ok_or(ObjectKeyError::BadEscape)?;
        if matches!(decoded, b'/' | b'\\') {
            return Err(ObjectKeyError::EncodedSeparator);
        }
        bytes.push(decoded);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| ObjectKeyError::NotUtf8)
}

/// Percent-encodes all but unreserved characters, the slash, sub-delimiters, `:` and `@` (RFC 3986
/// §3.3), so that readable names stay readable.
fn percent_encode_path(key: &str) -> String {
    let mut path = String::with_capacity(key.len() + 8);
    path.push('/');
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,=:@".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

pub(crate) fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn check_text(key: &str) -> Result<(), ObjectKeyError> {
    if key.len() > MAX_OBJECT_KEY_BYTES {
        return Err(ObjectKeyError::TooLong);
    }
    if key.contains('\\') {
        return Err(ObjectKeyError::Backslash);
    }
    if key.contains(';') {
        return Err(ObjectKeyError::Semicolon);
    }
    if key.chars().any(char::is_control) {
        return Err(ObjectKeyError::Control);
    }
    let encoded_twice = key
        .as_bytes()
        .windows(3)
        .any(|window| window[0] == b'%' && hex(window[1]).is_some() && hex(window[2]).is_some());
    if encoded_twice {
        return Err(ObjectKeyError::EncodedTwice);
    }
    Ok(())
}

fn check_segment(segment: &str) -> Result<(), ObjectKeyError> {
    match segment {
        "" => Err(ObjectKeyError::EmptySegment),
        "." | ".." => Err(ObjectKeyError::DotSegment),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_be_read_two_ways_is_refused() {
        for (path, expected) in [
            ("", ObjectKeyError::NotAbsolute),
            ("a", ObjectKeyError::NotAbsolute),
            ("/", ObjectKeyError::EmptySegment),
            ("//a", ObjectKeyError::EmptySegment),
            ("/a//b", ObjectKeyError::EmptySegment),
            ("/a/", ObjectKeyError::EmptySegment),
            ("/a/..", ObjectKeyError::DotSegment),
            ("/./a", ObjectKeyError::DotSegment),
            ("/%2e%2e/a", ObjectKeyError::DotSegment),
            ("/a/%2E./b", ObjectKeyError::DotSegment),
            ("/..%2fa", ObjectKeyError::EncodedSeparator),
            ("/a%2Fb", ObjectKeyError::EncodedSeparator),
            ("/a%5cb", ObjectKeyError::EncodedSeparator),
            ("/a\\b", ObjectKeyError::Backslash),
            ("/a;b", ObjectKeyError::Semicolon),
            ("/a/..;/b", ObjectKeyError::Semicolon),
            ("/a%3Bb", ObjectKeyError::Semicolon),
            ("/a%00", ObjectKeyError::Control),
            ("/a%0Ab", ObjectKeyError::Control),
            ("/a%C2%85b", ObjectKeyError::Control),
            ("/%252f", ObjectKeyError::EncodedTwice),
            ("/%252e%252e/a", ObjectKeyError::EncodedTwice),
            ("/%zz", ObjectKeyError::BadEscape),
            ("/a%2", ObjectKeyError::BadEscape),
            ("/a%", ObjectKeyError::BadEscape),
            ("/%c0%ae%c0%ae/a", ObjectKeyError::NotUtf8),
            ("/%ff", ObjectKeyError::NotUtf8),
        ] {
            assert_eq!(ObjectKey::from_url_path(path), Err(expected), "{path}");
        }
        let at_most = format!("/{}", "a".repeat(1024));
        assert!(ObjectKey::from_url_path(&at_most).is_ok());
        assert_eq!(
            ObjectKey::from_url_path(&(at_most + "a")),
            Err(ObjectKeyError::TooLong)
        );
    }

    #[test]
    fn ordinary_names_survive_the_round_trip() {
        for key in [
            "a b/c+d/é~'().m3u8",
            "100%/a",
            "50% off/%zz",
            "日本/レッスン.m4s",
            "a=1,c@d:e/...",
            "a?b#c",
        ] {
            let parsed = ObjectKey::new(key).expect(key);
            assert_eq!(
                ObjectKey::from_url_path(&parsed.to_url_path()).as_ref(),
                Ok(&parsed),
                "{key}"
            );
        }
    }

    #[test]
    fn a_directory_ends_at_a_segment_boundary() {
        for (scope, key, opens) in [
            ("/course1/", "course1/a", true),
            ("/course1/", "course1/b/c", true),
            ("/course1/", "course10/a", false),
            ("/course1/", "course1", false),
            ("/course1", "course1/a", false),
            ("/course1/a.m3u8", "course1/a.m3u8", true),
            ("/course1/a.m3u8", "course1/a.m3u8x", false),
        ] {
            let parsed = Scope::parse(scope).expect(scope);
            let key = ObjectKey::new(key).expect(key);
            assert_eq!(parsed.contains(&key), opens, "{scope} {key}");
            assert_eq!(parsed.to_string(), scope);
        }
        for refused in ["", "/", "//", "a/", "/a//", "/../", "/a/./"] {
            assert!(Scope::parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn the_first_directories_of_a_key_are_its_ancestors() {
        let key = ObjectKey::new("a/b/c.m3u8").expect("a key");
        for (depth, expected) in [(0, Some("")), (1, Some("a/")), (2, Some("a/b/")), (3, None)] {
            let found = Directory::ancestor_of(&key, depth);
            assert_eq!(found.as_ref().map(Directory::as_str), expected, "{depth}");
        }
        assert_eq!(key.directory().depth(), 2);
    }

    #[test]
    fn an_escape_is_decoded_with_both_its_digits_and_counts_as_one_byte() {
        for (path, expected) in [
            ("/%7e%4A%4a%ff", Err(ObjectKeyError::NotUtf8)),
            ("/%7e%4A%4a", Ok("~JJ")),
            ("/%C3%A9", Ok("é")),
        ] {
            let key = ObjectKey::from_url_path(path);
            assert_eq!(
                key.as_ref().map(ObjectKey::as_str),
                expected.as_deref(),
                "{path}"
            );
        }
        let longest = "%61".repeat(MAX_OBJECT_KEY_BYTES);
        assert!(percent_decode(&longest).is_ok());
        assert_eq!(
            percent_decode(&format!("{longest}a")),
            Err(ObjectKeyError::TooLong)
        );
    }
}
