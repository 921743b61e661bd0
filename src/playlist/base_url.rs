//! The base URL of a DASH manifest that is answered at its link.
//!
//! FFmpeg resolves URLs against the URL that it asked for, not against that of a redirect's answer.
//! So the manifest itself names the folder below a directory's pass, as its first `BaseURL`. FFmpeg
//! 5.1 drops the host of a `BaseURL` that is a path alone, so the URL has its origin.
//!
//! The pass must not become a part of a URL to another host. So all up to the first `Period` is read
//! strictly: a parser that ends a comment or a tag elsewhere would see other text in front of the
//! pass. A manifest that is written otherwise is served below the pass in its path.

use std::ops::Range;

const SPACE: &[u8] = b" \t\r\n";
/// The maximum number of base URLs: each becomes longer by the URL of the folder.
const MAX_BASE_URLS: usize = 16;
/// The maximum depth of elements in front of the first `Period`.
const MAX_DEPTH: usize = 16;

/// Puts the URL of the manifest's folder into a manifest that [`check_manifest`] allows: as its
/// `BaseURL`, or in front of each relative one that it has. Returns `None` if parsers may read its
/// beginning differently, or if it has more than [`MAX_BASE_URLS`].
///
/// [`check_manifest`]: super::check_manifest
pub fn with_base_url(manifest: &[u8], folder: &str) -> Option<Vec<u8>> {
    let mut scanner = TagScanner {
        text: manifest,
        at: 0,
    };
    scanner.skip_prolog()?;
    let root = scanner.start_tag()?;
    let prefix = root.name.strip_suffix(b"MPD")?;
    if root.is_empty || !(prefix.is_empty() || prefix.ends_with(b":")) {
        return None;
    }
    let BaseUrls { insert_at, bases } = scanner.base_urls(root.name)?;
    let added = bases.len().max(1) * folder.len() + 2 * (prefix.len() + "<BaseURL>".len()) + 1;
    let mut out = Vec::with_capacity(manifest.len() + added);
    let mut at = 0;
    if bases.is_empty() {
        out.extend_from_slice(&manifest[..insert_at]);
        at = insert_at;
        push_all(&mut out, &[b"<", prefix, b"BaseURL>"]);
        push_escaped(&mut out, folder);
        push_all(&mut out, &[b"</", prefix, b"BaseURL>"]);
    }
    for base in bases {
        let text = manifest[base.clone()].trim_ascii_start();
        if is_relative(text)? {
            let start = base.end - text.len();
            out.extend_from_slice(&manifest[at..start]);
            push_escaped(&mut out, folder);
            at = start;
        }
    }
    out.extend_from_slice(&manifest[at..]);
    Some(out)
}

fn push_all(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Writes a URL. No other character of one is markup.
fn push_escaped(out: &mut Vec<u8>, url: &str) {
    for byte in url.bytes() {
        out.push(byte);
        if byte == b'&' {
            out.extend_from_slice(b"amp;");
        }
    }
}

/// Returns whether a reference is relative to the manifest's folder: without scheme, host or a path
/// from the root, and no query alone. Returns `None` if a character reference decides.
fn is_relative(text: &[u8]) -> Option<bool> {
    for (at, byte) in text.trim_ascii_end().iter().enumerate() {
        match byte {
            b'/' | b'?' | b'#' => return Some(at > 0),
            b':' | b'\\' => return Some(false),
            b'&' => return None,
            _ => {}
        }
    }
    Some(true)
}

/// Returns whether every `&` begins a reference that needs no declaration (XML 1.0 §4.6).
fn has_sound_references(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'&').skip(1).all(|rest| {
        let end = rest.iter().position(|byte| *byte == b';').unwrap_or(0);
        match &rest[..end] {
            b"amp" | b"lt" | b"gt" | b"quot" | b"apos" => true,
            [b'#', b'x', digits @ ..] | [b'#', digits @ ..] => {
                let is_digit = match rest[1] {
                    b'x' => u8::is_ascii_hexdigit,
                    _ => u8::is_ascii_digit,
                };
                !digits.is_empty() && digits.iter().all(is_digit)
            }
            _ => false,
        }
    })
}

/// The `BaseURL` elements of the root, in front of its first `Period`.
struct BaseUrls {
    /// The place of another one: behind the information on the programme (§5.3.1.3).
    insert_at: usize,
    /// Their texts.
    bases: Vec<Range<usize>>,
}

/// Reads the tags of a manifest as every parser does, or not at all.
struct TagScanner<'manifest> {
    text: &'manifest [u8],
    at: usize,
}

struct XmlTag<'manifest> {
    name: &'manifest [u8],
    is_empty: bool,
}

impl<'manifest> TagScanner<'manifest> {
    fn rest(&self) -> &'manifest [u8] {
        &self.text[self.at..]
    }

    fn take(&mut self, word: &[u8]) -> bool {
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Skips bytes up to one of `ends`, and returns them.
    fn take_until(&mut self, ends: &[u8]) -> &'manifest [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|byte| ends.contains(byte));
        let (taken, _) = rest.split_at(end.unwrap_or(rest.len()));
        self.at += taken.len();
        taken
    }

    fn space(&mut self) -> bool {
        let start = self.at;
        while self.rest().first().is_some_and(|byte| SPACE.contains(byte)) {
            self.at += 1;
        }
        self.at > start
    }

    /// Skips the mark, the declaration and the comments in front of the root element.
    fn skip_prolog(&mut self) -> Option<()> {
        self.take(b"\xEF\xBB\xBF");
        self.space();
        if self.take(b"<?xml ") {
            self.take_until(b"<>?");
            self.take(b"?>").then_some(())?;
        }
        self.space();
        while self.rest().starts_with(b"<!--") {
            self.skip_comment()?;
            self.space();
        }
        Some(())
    }

    /// Skips a comment without markup. Lenient parsers end one at the first `>`.
    fn skip_comment(&mut self) -> Option<()> {
        self.take(b"<!--").then_some(())?;
        let text = self.take_until(b"<>");
        let text = text.strip_suffix(b"--")?;
        let has_dashes = memchr::memmem::find(text, b"--").is_some() || text.ends_with(b"-");
        (!has_dashes && self.take(b">")).then_some(())
    }

    /// Reads a name with a prefix at most (XML Namespaces §4). Letters beyond ASCII are not examined.
    fn name(&mut self) -> Option<&'manifest [u8]> {
        let name = self.take_until(b" \t\r\n=/<>\"'");
        let (mut before, mut colons) = (b':', 0);
        for &byte in name {
            let is_letter = byte.is_ascii_alphabetic() || matches!(byte, b'_' | 0x80..);
            let is_inside = before != b':' && (byte.is_ascii_digit() || b"-.:".contains(&byte));
            (is_letter || is_inside).then_some(())?;
            colons += usize::from(byte == b':');
            before = byte;
        }
        (before != b':' && colons < 2).then_some(name)
    }

    /// Reads a start tag whose attributes are quoted and have no markup.
    fn start_tag(&mut self) -> Option<XmlTag<'manifest>> {
        self.take(b"<").then_some(())?;
        let name = self.name()?;
        loop {
            let has_space = self.space();
            if self.take(b">") {
                return Some(XmlTag {
                    name,
                    is_empty: false,
                });
            }
            if self.take(b"/>") {
                return Some(XmlTag {
                    name,
                    is_empty: true,
                });
            }
            has_space.then_some(())?;
            self.name()?;
            self.space();
            self.take(b"=").then_some(())?;
            self.space();
            let quote = *self.rest().first()?;
            matches!(quote, b'"' | b'\'').then_some(())?;
            self.at += 1;
            let value = self.take_until(&[quote, b'<', b'>']);
            (has_sound_references(value) && self.take(&[quote])).then_some(())?;
        }
    }

    /// Reads elements up to the first `Period` of the root. Each ends with the tag that it began with.
    fn base_urls(&mut self, root: &[u8]) -> Option<BaseUrls> {
        let mut found = BaseUrls {
            insert_at: self.at,
            bases: vec![],
        };
        let mut open = [root; MAX_DEPTH];
        let mut depth = 1;
        let mut has_begun = false;
        loop {
            let text = self.take_until(b"<>");
            has_sound_references(text).then_some(())?;
            if self.rest().starts_with(b"<!--") {
                self.skip_comment()?;
                continue;
            }
            let is_end = self.take(b"</");
            let (name, is_closed) = if is_end {
                let name = self.name()?;
                self.space();
                self.take(b">").then_some(())?;
                depth -= 1;
                (depth > 0 && open.get(depth) == Some(&name)).then_some(())?;
                (name, true)
            } else {
                let tag = self.start_tag()?;
                (tag.name, tag.is_empty)
            };
            if !is_end && depth == 1 {
                has_begun |= local(name) != b"ProgramInformation";
                match local(name) {
                    b"Period" => return Some(found),
                    b"BaseURL" => {
                        let start = self.at;
                        let text = self.take_until(b"<>");
                        let is_text = !is_closed && self.rest().starts_with(b"</");
                        let is_few = found.bases.len() < MAX_BASE_URLS;
                        (is_text && is_few && has_sound_references(text)).then_some(())?;
                        found.bases.push(start..self.at);
                    }
                    _ => {}
                }
            }
            if !is_closed {
                *open.get_mut(depth)? = name;
                depth += 1;
            } else if depth == 1 && !has_begun {
                found.insert_at = self.at;
            }
        }
    }
}

/// A name without its prefix.
fn local(name: &[u8]) -> &[u8] {
    name.rsplit(|byte| *byte == b':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "https://h/~p/a/";

    fn based(manifest: &str) -> Option<String> {
        let bytes = with_base_url(manifest.as_bytes(), FOLDER)?;
        Some(String::from_utf8(bytes).expect("UTF-8"))
    }

    #[test]
    fn a_manifest_without_a_base_url_gets_that_of_its_folder() {
        for (before, after) in [
            ("<MPD>", "<Period/></MPD>"),
            (
                "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- made by x -->\n<MPD\n  xmlns='a' type = \"static\" >",
                "\n <!-- a --><Period></Period></MPD>",
            ),
            (
                "<MPD>\n <ProgramInformation><Title>a &amp; b&#x21;</Title></ProgramInformation>",
                "\n <Period></Period></MPD>",
            ),
            (
                "<MPD><ProgramInformation/><ProgramInformation/>",
                "<ServiceDescription/><ProgramInformation/><Period></Period></MPD>",
            ),
            (
                "<MPD>",
                "<ServiceDescription id=\"0\"><Latency target=\"1\"/></ServiceDescription><Period><BaseURL>v/</BaseURL></Period></MPD>",
            ),
            ("<MPD>", "<!-- one - two --><Period/></MPD>"),
        ] {
            let expected = format!("{before}<BaseURL>{FOLDER}</BaseURL>{after}");
            assert_eq!(based(&format!("{before}{after}")), Some(expected));
        }
        assert_eq!(
            based("<dash:MPD><dash:Period/></dash:MPD>").expect("a manifest"),
            format!("<dash:MPD><dash:BaseURL>{FOLDER}</dash:BaseURL><dash:Period/></dash:MPD>")
        );
        let ampersand = with_base_url(b"<MPD><Period/></MPD>", "https://h/~p/a&b/");
        assert_eq!(
            String::from_utf8(ampersand.expect("a manifest")).expect("UTF-8"),
            "<MPD><BaseURL>https://h/~p/a&amp;b/</BaseURL><Period/></MPD>"
        );
    }

    #[test]
    fn a_relative_base_url_of_the_manifest_is_put_below_its_folder() {
        for (own, expected) in [
            ("v/", "https://h/~p/a/v/"),
            ("./", "https://h/~p/a/./"),
            ("\n  v/ \n", "\n  https://h/~p/a/v/ \n"),
            ("", "https://h/~p/a/"),
            ("v/a:b/?x=:", "https://h/~p/a/v/a:b/?x=:"),
            ("v/a&amp;b/", "https://h/~p/a/v/a&amp;b/"),
            // These lead elsewhere, as they did.
            ("https://cdn.example/a/", "https://cdn.example/a/"),
            ("//cdn.example/a/", "//cdn.example/a/"),
            ("/a/v/", "/a/v/"),
            ("\\\\cdn.example/", "\\\\cdn.example/"),
            ("v\\a/", "v\\a/"),
            ("?x", "?x"),
            ("#x", "#x"),
        ] {
            let with = |text: &str| {
                format!("<MPD><BaseURL serviceLocation=\"a\">{text}</BaseURL><Period/></MPD>")
            };
            assert_eq!(based(&with(own)), Some(with(expected)), "{own:?}");
        }
        assert_eq!(
            based("<MPD><BaseURL>https://c.example/</BaseURL><BaseURL>v/</BaseURL><Period/></MPD>"),
            Some(format!(
                "<MPD><BaseURL>https://c.example/</BaseURL><BaseURL>{FOLDER}v/</BaseURL><Period/></MPD>"
            ))
        );
    }

    #[test]
    fn few_base_urls_become_longer_and_few_elements_nest() {
        let with = |count: usize| {
            let bases = "<BaseURL>v/</BaseURL>".repeat(count);
            based(&format!("<MPD>{bases}<Period/></MPD>"))
        };
        let most = with(MAX_BASE_URLS).expect("a manifest");
        assert_eq!(most.matches(FOLDER).count(), MAX_BASE_URLS);
        assert_eq!(with(MAX_BASE_URLS + 1), None);
        let nested = |depth: usize| {
            let (open, close) = ("<S>".repeat(depth), "</S>".repeat(depth));
            based(&format!("<MPD>{open}{close}<Period/></MPD>"))
        };
        assert!(nested(MAX_DEPTH - 1).is_some());
        assert_eq!(nested(MAX_DEPTH), None);
        let order = "<MPD><BaseURL>v/</BaseURL><ProgramInformation/><Period/></MPD>";
        let expected = order.replace("v/", &format!("{FOLDER}v/"));
        assert_eq!(based(order), Some(expected));
    }

    #[test]
    fn a_beginning_that_parsers_read_differently_gets_no_pass() {
        for manifest in [
            "",
            "MPD",
            "<MPD>",
            "<MPD/>",
            "<MPD></MPD>",
            "<Period/>",
            "<XMPD><Period/></XMPD>",
            // A lenient parser ends the comment at its first `>`.
            "<!--><MPD><BaseURL>https://evil/?--><MPD><Period/></MPD>",
            "<MPD><!--><BaseURL>https://evil/?<!-- --><BaseURL>v/</BaseURL><Period/></MPD>",
            "<MPD><!-- -- --><Period/></MPD>",
            "<MPD><!-- ---><Period/></MPD>",
            "<MPD><!-- <BaseURL>v/</BaseURL> --><Period/></MPD>",
            "<MPD a=\"><BaseURL>https://evil/?\"><Period/></MPD>",
            "<MPD a=b><Period/></MPD>",
            "<MPD a='b'c='d'><Period/></MPD>",
            "<MPD a><Period/></MPD>",
            "<MPD><BaseURL a=\">\">v/</BaseURL><Period/></MPD>",
            "<MPD><BaseURL><!-- -->v/</BaseURL><Period/></MPD>",
            "<MPD><BaseURL>https://evil/?<BaseURL>v/</BaseURL></BaseURL><Period/></MPD>",
            "<MPD><BaseURL/><Period/></MPD>",
            "<MPD><BaseURL>&#47;&#47;evil/</BaseURL><Period/></MPD>",
            "<MPD><BaseURL>https&#58;//evil/</BaseURL><Period/></MPD>",
            "<MPD>]]><Period/></MPD>",
            "<MPD><![CDATA[x]]><BaseURL>v/</BaseURL></x><Period/></MPD>",
            "<MPD><?x?><BaseURL>v/</BaseURL></x><Period/></MPD>",
            "<MPD></MPD><Period/>",
            "<MPD><Title></Source><Period/></MPD>",
            "<MPD><Title>a & b</Title><Period/></MPD>",
            "<MPD><Title>&b;</Title><Period/></MPD>",
            "<MPD a='&'><Period/></MPD>",
            "<:MPD><Period/></:MPD>",
            "<1:MPD><Period/></1:MPD>",
            "<a:b:MPD><Period/></a:b:MPD>",
            "<MPD a;b='c'><Period/></MPD>",
            "<MPD></MPD><S><Period/></S>",
            "<?xml version='1.0' a='>'?><MPD><Period/></MPD>",
        ] {
            assert_eq!(based(manifest), None, "{manifest}");
        }
    }
}
