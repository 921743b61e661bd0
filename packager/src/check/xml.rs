//! Parses well-formed XML (XML 1.0 §2.1) as far as a DASH manifest needs it. A document type is
//! refused, so no entity is ever expanded. Pure.

use std::fmt::Display;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

const DEEPEST: usize = 32;
/// Maximum number of attributes, which bounds their pairwise comparison.
const MOST_ATTRIBUTES: usize = 64;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct XmlElement {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    pub(crate) children: Vec<XmlElement>,
    pub(crate) text: String,
}

impl XmlElement {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'element>(
        &'element self,
        name: &'element str,
    ) -> impl Iterator<Item = &'element XmlElement> {
        self.children.iter().filter(move |child| child.name == name)
    }

    pub(crate) fn child(&self, name: &str) -> Option<&XmlElement> {
        self.children.iter().find(|child| child.name == name)
    }
}

/// Parses the root element.
pub(crate) fn parse(text: &str) -> Result<XmlElement, String> {
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.enable_all_checks(true);
    let mut open: Vec<XmlElement> = vec![];
    let mut root = None;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) if open.len() == DEEPEST => {
                let name = start.name();
                return Err(format!("`<{name:?}>` stands more than {DEEPEST} deep"));
            }
            Event::Start(start) => open.push(element(&start)?),
            Event::End(_) => {
                let element = open.pop().ok_or("an end tag closes nothing")?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None if root.is_some() => {
                        return Err("it has two elements at the top".to_owned());
                    }
                    None => root = Some(element),
                }
            }
            Event::Text(text) => add(&mut open, &text.decode().map_err(plain)?)?,
            Event::CData(data) => add(&mut open, &data.decode().map_err(plain)?)?,
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(plain)?;
                let character = reference.resolve_char_ref().map_err(plain)?;
                let text = match resolve_predefined_entity(&name) {
                    Some(text) => text.to_owned(),
                    None => character.ok_or("a `&` begins no reference")?.to_string(),
                };
                add(&mut open, &text)?;
            }
            Event::DocType(_) => return Err("it has a document type".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            // The parser expands it into a start and an end.
            Event::Empty(_) => {}
            Event::Eof => break,
        }
    }
    match open.pop() {
        Some(element) => Err(format!("`<{}>` is not closed", element.name)),
        None => root.ok_or_else(|| "it has no element".to_owned()),
    }
}

fn plain(error: impl Display) -> String {
    error.to_string()
}

/// Adds text to the innermost element; outside the root, only white space is allowed.
fn add(open: &mut [XmlElement], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text += text,
        None if text.trim().is_empty() => {}
        None => return Err("text stands outside the first element".to_owned()),
    }
    Ok(())
}

fn element(start: &BytesStart<'_>) -> Result<XmlElement, String> {
    let mut found = XmlElement {
        name: named(start.name().as_ref())?,
        ..XmlElement::default()
    };
    if !are_apart(start.attributes_raw()) {
        return Err(format!("the tag `<{}` is not well-formed", found.name));
    }
    for attribute in start.attributes() {
        let attribute = attribute.map_err(plain)?;
        if found.attributes.len() == MOST_ATTRIBUTES || attribute.value.contains(&b'<') {
            return Err(format!("the tag `<{}` is not well-formed", found.name));
        }
        let name = named(attribute.key.as_ref())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(plain)?.into_owned();
        found.attributes.push((name, value));
    }
    Ok(found)
}

/// Verifies white space between attributes, which the parser does not require.
fn are_apart(attributes: &[u8]) -> bool {
    let (mut quote, mut is_after_value) = (None, false);
    for byte in attributes {
        let was_after_value = std::mem::take(&mut is_after_value);
        match quote {
            Some(open) => {
                is_after_value = open == byte;
                quote = quote.filter(|_| !is_after_value);
            }
            None if was_after_value && !byte.is_ascii_whitespace() => return false,
            None => quote = Some(byte).filter(|byte| matches!(byte, b'"' | b'\'')),
        }
    }
    true
}

/// A name, which begins with a letter (XML 1.0 §2.3, as far as DASH needs it).
fn named(name: &[u8]) -> Result<String, String> {
    let name = String::from_utf8_lossy(name).into_owned();
    let is_first = |first: char| first.is_alphabetic() || matches!(first, '_' | ':');
    let is_name =
        |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':');
    match name.starts_with(is_first) && name.chars().all(is_name) {
        true => Ok(name),
        false => Err("a `<` begins no tag".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_attributes_and_text_are_read() {
        let root = parse("<?xml version='1.0'?>\n<!-- c --><a x=\"1&amp;2\" y = 'z'><b/>t&#x41;<![CDATA[<]]></a >\n")
            .expect("well-formed");
        assert_eq!((root.get("x"), root.get("y")), (Some("1&2"), Some("z")));
        assert_eq!((root.text.as_str(), root.children.len()), ("tA<", 1));
    }

    #[test]
    fn malformed_xml_is_an_error_and_never_a_panic() {
        for text in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a b></a>",
            "<a b=1/>",
            "<a b='1' b='2'/>",
            "<a b='1'c='2'/>",
            "<a b='<'/>",
            "<a>&nope;</a>",
            "<a>&</a>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>",
            "<a><!-- </a>",
            "<a/>x",
            "< a/>",
            "<1/>",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"<a>".repeat(100_000)).is_err());
        let whole = "<?xml?><a x='é'><b>&#65;</b><![CDATA[é]]></a>";
        for (at, _) in whole.char_indices() {
            let _ = parse(&whole[..at]);
        }
    }
}
