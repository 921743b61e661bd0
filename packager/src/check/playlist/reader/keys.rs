//! Variables, keys and initialization sections, which apply to what follows.

use super::{MOST_ENTRIES, MOST_KEYS, PlaylistReader, TagEntry};
use crate::check::playlist::{ListedKey, ListedMap, UriRange, byte_range, shown};

impl PlaylistReader<'_> {
    pub(super) fn define(&mut self, entry: &TagEntry) {
        self.needs(8, "EXT-X-DEFINE");
        let (name, value) = match (
            entry.get("NAME"),
            entry.get("IMPORT"),
            entry.get("QUERYPARAM"),
        ) {
            (Some(name), None, None) => match entry.get("VALUE") {
                Some(value) => (name, value.to_owned()),
                None => return self.problem("`EXT-X-DEFINE` has `NAME` without `VALUE`"),
            },
            (None, Some(name), None) => {
                let value = self.imports.and_then(|imports| imports.get(name)).cloned();
                if value.is_none() && self.imports.is_some() {
                    let name = shown(name);
                    self.problem(format!(
                        "the Multivariant Playlist defines no variable `{name}`"
                    ));
                }
                (name, value.unwrap_or_default())
            }
            // Its value is in the URL, which a file does not have.
            (None, None, Some(name)) => {
                self.needs(11, "EXT-X-DEFINE with QUERYPARAM");
                (name, String::new())
            }
            _ => {
                return self
                    .problem("`EXT-X-DEFINE` needs one of `NAME`, `IMPORT` and `QUERYPARAM`");
            }
        };
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || !name.bytes().all(is_letter) {
            let name = shown(name);
            self.problem(format!("`{name}` is no name of a variable"));
        }
        if self.found.variables.contains_key(name) {
            let name = shown(name);
            self.problem(format!("the variable `{name}` is defined twice"));
        } else if self.found.variables.len() < MOST_ENTRIES {
            self.found.variables.insert(name.to_owned(), value);
        }
    }

    /// A key with a method other than `NONE`.
    pub(super) fn listed_key(&mut self, entry: &TagEntry) -> Option<ListedKey> {
        let method = entry.get("METHOD")?.to_owned();
        if entry.get("IV").is_some() {
            self.needs(2, "EXT-X-KEY with IV");
        }
        if entry.get("KEYFORMAT").is_some() || entry.get("KEYFORMATVERSIONS").is_some() {
            self.needs(5, "EXT-X-KEY with KEYFORMAT");
        }
        let uri = entry.get("URI").map(str::to_owned);
        if uri.is_none() {
            self.problem(format!(
                "a key with `METHOD={}` has no `URI`",
                shown(&method)
            ));
        }
        let digits = entry
            .get("IV")
            .and_then(|iv| iv.strip_prefix("0x").or_else(|| iv.strip_prefix("0X")));
        let iv = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok());
        Some(ListedKey {
            method,
            is_identity: entry
                .get("KEYFORMAT")
                .is_none_or(|format| format == "identity"),
            uri,
            iv,
            has_short_vector: digits.is_some_and(|digits| digits.len() < 32),
        })
    }

    pub(super) fn key(&mut self, entry: &TagEntry) {
        if entry.get("METHOD") == Some("NONE") {
            self.keys.clear();
            if entry.attributes.len() > 1 {
                self.problem("a key with `METHOD=NONE` has other attributes");
            }
            return;
        }
        let Some(key) = self.listed_key(entry) else {
            return;
        };
        let format = entry.get("KEYFORMAT").unwrap_or("identity").to_owned();
        let at = match self.key_numbers.get(&key) {
            Some(at) => *at,
            None if self.found.keys.len() == MOST_KEYS => {
                return self.problem(format!("it lists more than {MOST_KEYS} keys"));
            }
            None => {
                let at = self.found.keys.len();
                self.key_numbers.insert(key.clone(), at);
                self.found.keys.push(key);
                at
            }
        };
        self.keys.insert(format, at);
    }

    /// The key that decrypts what follows, or another one that encrypted it.
    pub(super) fn active_key(&self) -> Option<usize> {
        let identity = self.keys.get("identity");
        identity.or(self.keys.values().next()).copied()
    }

    pub(super) fn map(&mut self, entry: &TagEntry) {
        let Some(uri) = entry.get("URI") else { return };
        let range = entry
            .get("BYTERANGE")
            .and_then(byte_range)
            .map(|(length, offset)| (length, offset.unwrap_or(0)));
        let map = ListedMap {
            place: UriRange {
                uri: uri.to_owned(),
                range,
            },
            key: self.active_key(),
        };
        let at = self.found.maps.len();
        self.map = match self.map_numbers.get(&map) {
            Some(known) => Some(*known),
            // Each is read once, and no lecture has hundreds.
            None if at == MOST_ENTRIES => {
                self.too_many("#EXT-X-MAP");
                None
            }
            None => {
                self.map_numbers.insert(map.clone(), at);
                self.found.maps.push(map);
                Some(at)
            }
        };
    }
}
