//! Attribute lists (RFC 8216bis §4.2): `NAME=VALUE,NAME="quoted, value"`.

use std::ops::Range;

/// An attribute of a tag: its name, and the range of its value in the line, without quotes.
#[derive(Debug, PartialEq, Eq)]
pub struct Attribute<'line> {
    pub name: &'line [u8],
    pub value: Range<usize>,
}

/// Iterates over the attributes of `line` from byte `start`, which follows the tag's colon.
///
/// Lenient, as players are: white space around names and values is skipped, and an unterminated
/// quoted string ends with the line.
pub fn attributes(line: &[u8], start: usize) -> impl Iterator<Item = Attribute<'_>> {
    let mut at = start.min(line.len());
    std::iter::from_fn(move || {
        let equals = at + line[at..].iter().position(|&byte| byte == b'=')?;
        // A name contains no comma. Text before one is an entry without a value.
        let name_start = line[at..equals]
            .iter()
            .rposition(|&byte| byte == b',')
            .map_or(at, |comma| at + comma + 1);
        let name = line[name_start..equals].trim_ascii();
        let mut value = equals + 1;
        while line
            .get(value)
            .is_some_and(|byte| matches!(byte, b' ' | b'\t'))
        {
            value += 1;
        }
        let ends_at = |from: usize, delimiter: u8| {
            line[from..]
                .iter()
                .position(|&byte| byte == delimiter)
                .map_or(line.len(), |found| from + found)
        };
        let range = if line.get(value) == Some(&b'"') {
            let end = ends_at(value + 1, b'"');
            at = ends_at(end, b',');
            value + 1..end
        } else {
            let end = ends_at(value, b',');
            at = end;
            value..value + line[value..end].trim_ascii_end().len()
        };
        at = (at + 1).min(line.len());
        Some(Attribute { name, value: range })
    })
}

/// The maximum number of attributes that are compared with each other.
const MAX_STRICT_ATTRIBUTES: usize = 100;

/// Parses the attributes of `line` from byte `start` into `found`. Returns whether every parser
/// reads the list alike.
///
/// Such a list is valid by RFC 8216bis §4.2: names of capitals, digits and hyphens, each once;
/// quoted strings that end before a comma or the line's end; other values without quotes and white
/// space. Public playlists also have spaces after a comma and underscores in a name. Beyond the
/// RFC, a list has no control character, no backslash (FFmpeg reads an escape), and no second tag
/// (hls.js finds `#EXT-X-…` anywhere in a line).
pub fn read_strictly<'line>(
    line: &'line [u8],
    start: usize,
    found: &mut Vec<Attribute<'line>>,
) -> bool {
    found.clear();
    let Some(mut rest) = line.get(start..) else {
        return false;
    };
    let is_odd = |byte: &u8| byte.is_ascii_control() || *byte == b'\\';
    if rest.iter().any(is_odd) || str::from_utf8(rest).is_err() || holds_tag(rest) {
        return false;
    }
    loop {
        let at = line.len() - rest.len();
        let Some(equals) = rest.iter().position(|&byte| byte == b'=') else {
            return false;
        };
        let name = &rest[..equals];
        let is_name = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_');
        let is_new = found.iter().all(|attribute| attribute.name != name);
        if name.is_empty() || !name.iter().all(is_name) || !is_new {
            return false;
        }
        if found.len() == MAX_STRICT_ATTRIBUTES {
            return false;
        }
        let value = &rest[equals + 1..];
        let (value_at, length, taken) = match value.strip_prefix(b"\"") {
            Some(quoted) => match quoted.iter().position(|&byte| byte == b'"') {
                Some(length) => (at + equals + 2, length, length + 2),
                None => return false,
            },
            None => {
                let length = value
                    .iter()
                    .position(|&byte| byte == b',')
                    .unwrap_or(value.len());
                let is_loose = |byte: &u8| matches!(byte, b'"' | b' ');
                if length == 0 || value[..length].iter().any(is_loose) {
                    return false;
                }
                (at + equals + 1, length, length)
            }
        };
        found.push(Attribute {
            name,
            value: value_at..value_at + length,
        });
        rest = &value[taken..];
        if rest.is_empty() {
            return true;
        }
        let Some(behind) = rest.strip_prefix(b",") else {
            return false;
        };
        let spaces = behind.iter().take_while(|&&byte| byte == b' ').count();
        rest = &behind[spaces..];
    }
}

/// Returns whether some parser finds a tag in `text`.
fn holds_tag(text: &[u8]) -> bool {
    memchr::memchr_iter(b'#', text).any(|at| text[at..].starts_with(b"#EXT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_strict_where_every_parser_reads_it_alike() {
        for (list, expected) in [
            (r#"URI="a.mp4""#, true),
            (r#"METHOD=AES-128,URI="k",IV=0x1"#, true),
            (r#"A="x, y=z",B=1.5,URI="a b""#, true),
            (r#"BANDWIDTH=1, URI="k",  C=2"#, true),
            (r#"URI="""#, true),
            (r#"AVERAGE_BANDWIDTH=1,URI="k""#, true),
            ("", false),
            ("URI", false),
            ("A=", false),
            ("=1", false),
            // Text after a closing quote, and lists that parsers end in different places.
            (
                r#"URI="https://evil/?a="x,URI=/uploads/u2/essay.mp4,z=""#,
                false,
            ),
            (r#"A="x"junk,URI="y""#, false),
            (r#"A="x" ,URI="y""#, false),
            (r#"URI="y" "#, false),
            (r#"URI="y","#, false),
            (r#"URI="y",,B=1"#, false),
            (r#"junk,URI="y""#, false),
            (r#"URI="y"#, false),
            (r#"A=x"y,URI="z""#, false),
            (r#"A=x y,URI="z""#, false),
            // An attribute twice.
            (r#"VALUE="",VALUE="x""#, false),
            (r#"URI="a",URI="b""#, false),
            // Names in lower case, and white space in other places.
            (r#"uri="a""#, false),
            (r#"URI ="a""#, false),
            (r#"URI= "a""#, false),
            (r#" URI="a""#, false),
            ("A=1,\tURI=\"a\"", false),
            ("A=\"\r\",URI=\"a\"", false),
            ("A=\"\0\",URI=\"a\"", false),
            // FFmpeg's escape, and hls.js's search for tags.
            (r#"A="\",URI="a""#, false),
            ("A=\"#EXT-X-MEDIA:URI=\",URI=\"a\"", false),
        ] {
            let line = format!("#EXT-X-T:{list}");
            assert_eq!(
                read_strictly(line.as_bytes(), 9, &mut Vec::new()),
                expected,
                "{list}"
            );
        }
    }

    #[test]
    fn a_strict_list_is_read_as_the_lenient_reader_reads_it() {
        let line = br#"#EXT-X-KEY:METHOD=AES-128, URI="a,b=c",IV=0x1"#;
        let mut found = Vec::new();
        assert!(read_strictly(line, 11, &mut found));
        let lenient: Vec<_> = attributes(line, 11).collect();
        assert_eq!(found, lenient);
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_list_of_more_attributes_than_are_compared_is_not_strict() {
        let list = |count: usize| {
            let names: Vec<String> = (0..count).map(|at| format!("A{at}=1")).collect();
            names.join(",")
        };
        let is_strict = |list: String| read_strictly(list.as_bytes(), 0, &mut Vec::new());
        assert!(is_strict(list(MAX_STRICT_ATTRIBUTES)));
        assert!(!is_strict(list(MAX_STRICT_ATTRIBUTES + 1)));
    }

    #[test]
    fn names_and_values_are_found_as_players_find_them() {
        for (list, expected) in [
            ("", vec![]),
            ("A=1", vec![("A", "1")]),
            (
                r#"A="x,y",URI="a b.mp4",C=2"#,
                vec![("A", "x,y"), ("URI", "a b.mp4"), ("C", "2")],
            ),
            (
                r#"A="x", URI = "y" ,B=z "#,
                vec![("A", "x"), ("URI", "y"), ("B", "z")],
            ),
            (
                r#"NAME="URI=x",URI="y""#,
                vec![("NAME", "URI=x"), ("URI", "y")],
            ),
            (r#"URI="y"#, vec![("URI", "y")]),
            (r#"junk,URI="y""#, vec![("URI", "y")]),
            (r#"URI="""#, vec![("URI", "")]),
            ("URI=", vec![("URI", "")]),
            (r#"A="x"junk="z",URI=y"#, vec![("A", "x"), ("URI", "y")]),
        ] {
            let line = format!("#EXT-X-T:{list}");
            let found: Vec<_> = attributes(line.as_bytes(), 9)
                .map(|attribute| {
                    (
                        str::from_utf8(attribute.name).expect("ASCII"),
                        &line[attribute.value],
                    )
                })
                .collect();
            assert_eq!(found, expected, "{list}");
        }
    }
}
