//! Whether a text is well-formed XML (XML 1.0 §2.1), and what is in it: as much as a DASH manifest needs. A document type
//! is refused, so that no entity is ever expanded. Pure.

const DEEPEST: usize = 32;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'element>(
        &'element self,
        name: &'element str,
    ) -> impl Iterator<Item = &'element Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }
}

/// The document's element.
pub(crate) fn parse(text: &str) -> Result<Element, String> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut open: Vec<Element> = vec![];
    let mut root = None;
    while !rest.is_empty() {
        let (before, tag) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        match open.last_mut() {
            Some(element) => element.text += &unescape(before)?,
            None if before.trim().is_empty() => {}
            None => return Err("text stands outside the first element".to_owned()),
        }
        if tag.is_empty() {
            break;
        }
        if let Some(inside) = tag.strip_prefix("<!--") {
            rest = after(inside, "-->")?.1;
        } else if let Some(inside) = tag.strip_prefix("<?") {
            rest = after(inside, "?>")?.1;
        } else if let Some(inside) = tag.strip_prefix("<![CDATA[") {
            let (data, behind) = after(inside, "]]>")?;
            open.last_mut().ok_or("CDATA stands outside")?.text += data;
            rest = behind;
        } else if tag.starts_with("<!") {
            return Err("it has a document type".to_owned());
        } else if let Some(inside) = tag.strip_prefix("</") {
            let (name, behind) = after(inside, ">")?;
            let element = open.pop().filter(|element| element.name == name.trim_end());
            let element = element.ok_or_else(|| format!("`</{}>` closes nothing", name.trim()))?;
            close(element, &mut open, &mut root)?;
            rest = behind;
        } else {
            let (element, is_empty, behind) = start(&tag[1..])?;
            if open.len() == DEEPEST {
                return Err(format!("elements stand more than {DEEPEST} deep"));
            }
            if is_empty {
                close(element, &mut open, &mut root)?;
            } else {
                open.push(element);
            }
            rest = behind;
        }
    }
    match open.pop() {
        Some(element) => Err(format!("`<{}>` is not closed", element.name)),
        None => root.ok_or_else(|| "it has no element".to_owned()),
    }
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), String> {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_some() => return Err("it has two elements at the top".to_owned()),
        None => *root = Some(element),
    }
    Ok(())
}

/// The element of a start tag, whether it is empty, and what is behind it.
fn start(tag: &str) -> Result<(Element, bool, &str), String> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let name_ends = |text: &str| text.find(|c| !is_name(c)).unwrap_or(text.len());
    let (name, mut rest) = tag.split_at(name_ends(tag));
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') {
        return Err("a `<` begins no tag".to_owned());
    }
    let mut element = Element {
        name: name.to_owned(),
        ..Element::default()
    };
    let unclosed = || format!("the tag `<{name}` is not well-formed");
    loop {
        let trimmed = rest.trim_start();
        if let Some(behind) = trimmed.strip_prefix("/>") {
            return Ok((element, true, behind));
        }
        if let Some(behind) = trimmed.strip_prefix('>') {
            return Ok((element, false, behind));
        }
        let (attribute, behind) = trimmed.split_at(name_ends(trimmed));
        if attribute.is_empty() || trimmed.len() == rest.len() {
            return Err(unclosed());
        }
        let value = behind.trim_start().strip_prefix('=').ok_or_else(unclosed)?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.ok_or_else(unclosed)?;
        let (value, behind) = value[1..].split_once(quote).ok_or_else(unclosed)?;
        if value.contains('<') || element.get(attribute).is_some() {
            return Err(unclosed());
        }
        let value = unescape(value)?;
        element.attributes.push((attribute.to_owned(), value));
        rest = behind;
    }
}

fn after<'text>(text: &'text str, end: &str) -> Result<(&'text str, &'text str), String> {
    text.split_once(end)
        .ok_or_else(|| format!("`{end}` is missing"))
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('&');
    out += parts.next().unwrap_or("");
    for part in parts {
        let wrong = || "a `&` begins no reference".to_owned();
        let (name, rest) = part.split_once(';').ok_or_else(wrong)?;
        let number = name.strip_prefix('#').map(|number| {
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32)
        });
        out.push(match (name, number) {
            ("amp", _) => '&',
            ("lt", _) => '<',
            ("gt", _) => '>',
            ("quot", _) => '"',
            ("apos", _) => '\'',
            (_, Some(Some(c))) => c,
            _ => return Err(wrong()),
        });
        out += rest;
    }
    Ok(out)
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
    fn what_is_not_well_formed_is_told_and_never_a_panic() {
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
