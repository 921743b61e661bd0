//! Attribute lists (RFC 8216bis §4.2): `NAME=VALUE,NAME="quoted, value"`.

use std::ops::Range;

/// An attribute of a tag: its name, and where its value stands in the line, without quotes.
#[derive(Debug, PartialEq, Eq)]
pub struct Attribute<'line> {
    pub name: &'line [u8],
    pub value: Range<usize>,
}

/// The attributes of `line` from byte `start` on, which is behind the tag's colon.
///
/// Lenient as players are: white space around names and values is passed over, and an unterminated quoted string ends
/// with the line.
pub fn attributes(line: &[u8], start: usize) -> impl Iterator<Item = Attribute<'_>> {
    let mut at = start.min(line.len());
    std::iter::from_fn(move || {
        let equals = at + line[at..].iter().position(|&byte| byte == b'=')?;
        // A name never holds a comma: what stands before one is an entry without a value.
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

#[cfg(test)]
mod tests {
    use super::*;

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
