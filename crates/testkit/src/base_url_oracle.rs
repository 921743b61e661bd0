//! The base URL that [`with_base_url`] puts into a DASH manifest, as `quick-xml` and the WHATWG URL
//! parser read it, for a property test and a fuzz target.

use std::borrow::Cow;

use lectern::playlist::{check_manifest, with_base_url};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use url::Url;

/// The URL of the manifest's folder.
pub const FOLDER: &str = "https://video.example.org/~cGFzcw/a&b/";
/// The URL in XML.
const ESCAPED: &str = "https://video.example.org/~cGFzcw/a&amp;b/";
/// The pass in it.
const PASS: &str = "~cGFzcw";
/// The most base URLs that become longer.
const MAX_BASE_URLS: usize = 16;

/// Verifies that the URL stands only where all parsers read it as one. Returns whether the manifest
/// got it.
pub fn compare(manifest: &[u8]) -> bool {
    if check_manifest(manifest).is_err() {
        return false;
    }
    let manifest = str::from_utf8(manifest).expect("a checked manifest is UTF-8");
    let Some(out) = with_base_url(manifest.as_bytes(), FOLDER).filter(|_| !manifest.contains(PASS))
    else {
        return false;
    };
    let out = String::from_utf8(out).expect("UTF-8");
    let most = 3 * manifest.len() + MAX_BASE_URLS * ESCAPED.len() + 64;
    assert!(out.len() <= most, "{} bytes for {manifest}", out.len());
    let is_inserted = out.replace(ESCAPED, "") != manifest;
    let found = BaseUrlReader::read(&out, is_inserted);
    if is_inserted {
        let (element, at) = (found.inserted.expect("an element"), out.find(ESCAPED));
        let at = at.expect("the URL");
        let before = out[..at].strip_suffix(&format!("<{element}>"));
        let behind = out[at + ESCAPED.len()..].strip_prefix(&format!("</{element}>"));
        let original = before
            .zip(behind)
            .map(|(before, behind)| before.to_owned() + behind);
        assert_eq!(
            original.as_deref(),
            Some(manifest),
            "more than an element was added"
        );
    }
    assert_eq!(
        found.count,
        out.matches(ESCAPED).count(),
        "the URL stands elsewhere: {out}"
    );
    true
}

/// Reads a manifest up to its first `Period`.
#[derive(Default)]
struct BaseUrlReader {
    open: Vec<String>,
    /// Elements of the root before this one.
    siblings: Vec<String>,
    text: String,
    /// Base URLs below the folder.
    count: usize,
    /// The name of the element that was added.
    inserted: Option<String>,
}

impl BaseUrlReader {
    fn read(out: &str, is_inserted: bool) -> Self {
        let mut reader = Reader::from_str(out.strip_prefix('\u{feff}').unwrap_or(out));
        reader.config_mut().enable_all_checks(true);
        let mut found = Self::default();
        loop {
            let event = reader.read_event();
            let event = event.unwrap_or_else(|error| panic!("{error} in {out}"));
            match event {
                Event::Start(tag) => {
                    let name = name_of(&tag, out);
                    if found.is_end(&name) {
                        return found;
                    }
                    found.open.push(name);
                    found.text.clear();
                }
                Event::Empty(tag) => {
                    let name = name_of(&tag, out);
                    if found.is_end(&name) {
                        return found;
                    }
                    found
                        .siblings
                        .extend((found.open.len() == 1).then_some(name));
                }
                Event::Text(text) => found.text += &text.decode().expect("UTF-8"),
                Event::GeneralRef(reference) => found.text += &resolved(&reference),
                Event::End(_) => {
                    let name = found.open.pop().expect("an open element");
                    assert!(
                        !found.open.is_empty(),
                        "the root ends before a period: {out}"
                    );
                    found.close(name, is_inserted, out);
                }
                Event::Comment(comment) => assert!(!has_pass(&comment), "{out}"),
                Event::Decl(declaration) => assert!(!has_pass(&declaration), "{out}"),
                other => panic!("{other:?} in {out}"),
            }
        }
    }

    fn is_end(&self, name: &str) -> bool {
        self.open.len() == 1 && local(name) == "Period"
    }

    /// Verifies the text of an element that ends.
    fn close(&mut self, name: String, is_inserted: bool, out: &str) {
        let text = std::mem::take(&mut self.text);
        if self.open.len() != 1 {
            assert!(!text.contains(PASS), "{out}");
            return;
        }
        if text.contains(PASS) {
            assert_eq!(local(&self.open[0]), "MPD", "{out}");
            assert_eq!(local(&name), "BaseURL", "{out}");
            let own = text.trim_ascii_start().strip_prefix(FOLDER);
            let own = own.unwrap_or_else(|| panic!("{text:?} in {out}"));
            assert!(!own.contains(PASS), "{out}");
            let folder = Url::parse(FOLDER).expect("a URL");
            let url = Url::parse(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
            assert_eq!(folder.join(own).as_ref(), Ok(&url), "{own:?}");
            assert_eq!(url.origin(), folder.origin(), "{own:?}");
            self.count += 1;
            if is_inserted {
                let is_information = |sibling: &String| local(sibling) == "ProgramInformation";
                assert!(self.siblings.iter().all(is_information), "{out}");
                let prefix = self.open[0].strip_suffix("MPD").expect("the root");
                assert_eq!(name, format!("{prefix}BaseURL"), "{out}");
                self.inserted = Some(name.clone());
            }
        }
        self.siblings.push(name);
    }
}

/// The name of a tag whose attributes are well-formed.
fn name_of(tag: &BytesStart<'_>, out: &str) -> String {
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute.unwrap_or_else(|error| panic!("{error} in {out}"));
        assert!(
            !has_pass(&attribute.value) && !has_pass(attribute.key.as_ref()),
            "{out}"
        );
    }
    String::from_utf8_lossy(tag.name().as_ref()).into_owned()
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn has_pass(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains(PASS)
}

fn resolved(reference: &BytesRef<'_>) -> Cow<'static, str> {
    let name = reference.decode().expect("UTF-8");
    match resolve_predefined_entity(&name) {
        Some(text) => text.into(),
        // A number that is no character.
        None => match reference.resolve_char_ref() {
            Ok(Some(character)) => character.to_string().into(),
            _ => "\u{fffd}".into(),
        },
    }
}
