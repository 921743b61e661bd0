//! Revocations: viewers, links and paths that open nothing until a given second.
//!
//! The Durable Object `revocations` holds the list, so that two administrators never overwrite each
//! other. It writes the whole list into one key of Workers KV, which every data centre reads.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::credential::ticket::{LinkHash, Ticket, ViewerHash, link_hash, viewer_hash};
use crate::json::{JsonValue, written};
use crate::object::key::{ObjectKey, Scope};

/// The key of the list in Workers KV.
pub const KEY: &str = "revocations";
/// An isolate reads the list again after this time.
pub const FRESH_SECONDS: u64 = 30;
/// The most revocations that are in force at once.
pub const MAX_REVOCATIONS: usize = 10_000;
const MAX_NAME_BYTES: usize = 256;

/// The target of a revocation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Revoked {
    /// Every link with this `sub`.
    Viewer(String),
    /// Every link with this `jti`.
    Link(String),
    /// Links that name a viewer or themselves, for this object or everything in this folder.
    Path(String),
}

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revocation {
    #[serde(flatten)]
    pub target: Revoked,
    /// The last second of the revocation.
    pub until: u64,
    /// The second at which it was made.
    pub since: u64,
}

impl Revoked {
    /// Parses a target: its kind and its name.
    ///
    /// # Errors
    /// The violated rule, in words.
    pub fn parse(kind: &str, name: &str) -> Result<Self, &'static str> {
        let is_name = (1..=MAX_NAME_BYTES).contains(&name.len());
        match kind {
            "viewer" if is_name => Ok(Self::Viewer(name.to_owned())),
            "link" if is_name => Ok(Self::Link(name.to_owned())),
            "path" if Scope::parse(name).is_ok() => Ok(Self::Path(name.to_owned())),
            "path" => Err("`path` is an object or a folder, such as `/courses/rails/`"),
            "viewer" | "link" => Err("`viewer` and `link` have 1 to 256 bytes"),
            _ => Err("name one `viewer`, `link` or `path`"),
        }
    }

    /// The kind and the name.
    #[must_use]
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Viewer(name) => ("viewer", name),
            Self::Link(name) => ("link", name),
            Self::Path(name) => ("path", name),
        }
    }
}

/// Writes a list as JSON.
#[must_use]
pub fn list_json(revocations: &[Revocation]) -> String {
    #[derive(Serialize)]
    struct ListBody<'list> {
        revocations: &'list [Revocation],
    }
    written(&ListBody { revocations })
}

/// The revocations in force, by what a request shows: hashes, and the object's path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations {
    viewers: BTreeMap<ViewerHash, u64>,
    links: BTreeMap<LinkHash, u64>,
    /// Keys of objects, and of folders with their slash.
    paths: BTreeMap<String, u64>,
}

impl Revocations {
    /// Parses what [`list_json`] wrote. `None` if it is no such list.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let list = JsonValue::parse(json)?;
        let mut revocations = Self::default();
        for entry in list.member("revocations")?.as_array()? {
            let until = entry.member("until")?.as_integer()?;
            for kind in ["viewer", "link", "path"] {
                if let Some(name) = entry.member(kind).and_then(JsonValue::as_str) {
                    revocations.add(&Revoked::parse(kind, name).ok()?, until);
                }
            }
        }
        Some(revocations)
    }

    fn add(&mut self, target: &Revoked, until: u64) {
        let known = match target {
            Revoked::Viewer(sub) => self.viewers.entry(viewer_hash(sub)).or_default(),
            Revoked::Link(jti) => self.links.entry(link_hash(jti)).or_default(),
            Revoked::Path(path) => {
                let key = path.trim_start_matches('/').to_owned();
                self.paths.entry(key).or_default()
            }
        };
        *known = until.max(*known);
    }

    /// Returns whether a player with `ticket` may no longer open `key`.
    #[must_use]
    pub fn revoke(&self, ticket: &Ticket, key: &ObjectKey, now: u64) -> bool {
        let is_in_force = |until: Option<&u64>| until.is_some_and(|until| now <= *until);
        let key = key.as_str();
        let folders = key.match_indices('/').filter_map(|(at, _)| key.get(..=at));
        let mut paths = folders.chain([key]);
        is_in_force(ticket.viewer.and_then(|hash| self.viewers.get(&hash)))
            || is_in_force(ticket.link.and_then(|hash| self.links.get(&hash)))
            || paths.any(|path| is_in_force(self.paths.get(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn list(of: &[(&str, &str, u64)]) -> Revocations {
        let revocation = |&(kind, name, until): &(&str, &str, u64)| Revocation {
            target: Revoked::parse(kind, name).expect("a target"),
            until,
            since: NOW,
        };
        let all: Vec<_> = of.iter().map(revocation).collect();
        Revocations::from_json(list_json(&all).as_bytes()).expect("a list")
    }

    fn ticket(viewer: &str, link: &str) -> Ticket {
        Ticket {
            viewer: (!viewer.is_empty()).then(|| viewer_hash(viewer)),
            link: (!link.is_empty()).then(|| link_hash(link)),
            place: None,
            is_strict: false,
        }
    }

    #[test]
    fn a_revocation_stops_what_it_names_until_its_end() {
        let list = list(&[
            ("viewer", "s42", NOW + 5),
            ("link", "l1", NOW + 5),
            ("path", "/courses/x/", NOW + 5),
            ("path", "/courses/y/master.m3u8", NOW + 5),
        ]);
        for (viewer, link, key, now, expected) in [
            ("s42", "", "a/b", NOW, true),
            ("s42", "", "a/b", NOW + 5, true),
            ("s42", "", "a/b", NOW + 6, false),
            ("s4", "", "a/b", NOW, false),
            ("", "s42", "a/b", NOW, false),
            ("", "l1", "a/b", NOW, true),
            ("l1", "", "a/b", NOW, false),
            ("s1", "", "courses/x/v/1/master.m3u8", NOW, true),
            ("s1", "", "courses/x", NOW, false),
            ("s1", "", "courses/xy/a", NOW, false),
            ("s1", "", "courses/y/master.m3u8", NOW, true),
            ("s1", "", "courses/y/other.m3u8", NOW, false),
        ] {
            let key = ObjectKey::new(key).expect("a key");
            let found = list.revoke(&ticket(viewer, link), &key, now);
            assert_eq!(found, expected, "{viewer} {link} {key:?} {now}");
        }
    }

    #[test]
    fn the_longest_of_equal_revocations_counts() {
        let key = ObjectKey::new("a/b").expect("a key");
        let list = list(&[("viewer", "s", NOW + 9), ("viewer", "s", NOW)]);
        assert!(list.revoke(&ticket("s", ""), &key, NOW + 9));
    }

    #[test]
    fn a_target_is_checked() {
        for (kind, name) in [
            ("viewer", ""),
            ("link", ""),
            ("path", ""),
            ("path", "/"),
            ("path", "courses/"),
            ("path", "/a/../b"),
            ("lecture", "/a/"),
        ] {
            assert!(Revoked::parse(kind, name).is_err(), "{kind} {name}");
        }
        assert!(Revoked::parse("viewer", &"v".repeat(MAX_NAME_BYTES + 1)).is_err());
    }

    #[test]
    fn other_text_is_no_list() {
        for json in [
            "",
            "{}",
            r#"{"revocations":[{"viewer":"s"}]}"#,
            r#"{"revocations":[{"path":"x","until":1}]}"#,
        ] {
            assert_eq!(Revocations::from_json(json.as_bytes()), None, "{json}");
        }
    }
}
