//! `lectern revisions` and `lectern rollback`: what lies at a target, what plays, and how to go back.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Serialize;

use super::store::Entry;
use super::{Publication, PublishError, REPLACED, Target, Upload, named_revision};
use crate::cli::{RevisionsArgs, RollbackArgs};
use crate::package::megabytes;
use crate::package_json::{self, MPD, MULTIVARIANT, Package, is_revision};
use crate::progress::Progress;

/// Everything below a target.
#[derive(Debug)]
pub(super) struct Inventory {
    pub(super) live: Option<String>,
    /// What else may be named by what plays: where a publication was interrupted, the MPD's revision is another.
    pub(super) named: Vec<String>,
    /// What plays, and then the latest first: buckets tell the time of day in whole seconds.
    pub(super) revisions: Vec<Revision>,
    /// What is in no revision.
    pub(super) others: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct Revision {
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
}

/// As `--json` tells it.
#[derive(Serialize)]
struct Told<'a> {
    revision: &'a str,
    live: bool,
    /// None where it was never complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<DateTime<Utc>>,
    objects: usize,
    bytes: u64,
}

impl Inventory {
    pub(super) async fn of(target: &Target) -> Result<Self, PublishError> {
        if !target.is_readable() {
            return Err(PublishError::WriteOnly);
        }
        let text = async |path| {
            let stored = target.get(path).await?;
            let text = stored.map(|stored| String::from_utf8_lossy(&stored.bytes).into_owned());
            Ok::<_, PublishError>(text.unwrap_or_default())
        };
        let (master, manifest) = (text(MULTIVARIANT).await?, text(MPD).await?);
        let entries = target.list("").await?;
        Ok(Self::new(&master, &manifest, entries))
    }

    pub(super) fn new(master: &str, manifest: &str, entries: Vec<Entry>) -> Self {
        let mut folders: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        let mut others = vec![];
        for entry in entries {
            let folder = (entry.path.strip_prefix("v/")).and_then(|rest| rest.split_once('/'));
            let name = folder.map(|(name, _)| name.to_owned());
            match name.filter(|name| is_revision(name)) {
                Some(name) => folders.entry(name).or_default().push(entry),
                None => others.push(entry),
            }
        }
        let is_named = |name: &&String| {
            let folder = format!("v/{name}/");
            master.contains(&folder) || manifest.contains(&folder)
        };
        let named = folders.keys().filter(is_named).cloned().collect();
        let mut revisions: Vec<Revision> = folders
            .into_iter()
            .map(|(name, entries)| Revision { name, entries })
            .collect();
        let live = named_revision(master).map(str::to_owned);
        revisions.sort_by_key(|revision| {
            let is_live = live.as_ref() == Some(&revision.name);
            std::cmp::Reverse((is_live, revision.newest()))
        });
        Self {
            live,
            named,
            revisions,
            others,
        }
    }
}

impl Revision {
    /// When its `package.json` was written, which is when all that it lists was there.
    pub(super) fn published(&self) -> Option<DateTime<Utc>> {
        self.modified(package_json::NAME)
    }

    pub(super) fn replaced(&self) -> Option<DateTime<Utc>> {
        self.modified(REPLACED)
    }

    /// When anything of it was last written, but for the note that it was replaced.
    pub(super) fn newest(&self) -> Option<DateTime<Utc>> {
        let note = format!("v/{}/{REPLACED}", self.name);
        let entries = self.entries.iter().filter(|entry| entry.path != note);
        entries.map(|entry| entry.modified).max()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }

    fn modified(&self, name: &str) -> Option<DateTime<Utc>> {
        let path = format!("v/{}/{name}", self.name);
        let mut entries = self.entries.iter();
        Some(entries.find(|entry| entry.path == path)?.modified)
    }
}

pub(crate) async fn run(args: RevisionsArgs) -> Result<()> {
    let looking = || format!("cannot look at `{}`", args.target.target);
    let target = args.target.open().with_context(looking)?;
    let inventory = Inventory::of(&target).await.with_context(looking)?;
    if inventory.live.is_none() && inventory.revisions.is_empty() {
        return Err(PublishError::Nothing(args.target.target.clone())).with_context(looking);
    }
    let seconds = |time: Option<DateTime<Utc>>| time.map(|time| time.trunc_subsecs(0));
    let told: Vec<Told> = (inventory.revisions.iter())
        .map(|revision| Told {
            revision: &revision.name,
            live: inventory.live.as_ref() == Some(&revision.name),
            published: seconds(revision.published()),
            replaced: seconds(revision.replaced()),
            objects: revision.entries.len(),
            bytes: revision.bytes(),
        })
        .collect();
    if args.json {
        println_json(&told)?;
        return Ok(());
    }
    for revision in told {
        crate::print(&line(&revision))?;
    }
    Ok(())
}

fn line(told: &Told) -> String {
    let shown = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S").to_string();
    let state = match (told.live, told.published, told.replaced) {
        (true, ..) => "plays".to_owned(),
        (false, _, Some(replaced)) => format!("replaced {}", shown(replaced)),
        (false, None, None) => "never complete".to_owned(),
        (false, Some(_), None) => "not played yet".to_owned(),
    };
    format!(
        "{}  {:19}  {:5} objects  {:9.1} MB  {state}",
        told.revision,
        told.published.map(shown).unwrap_or_default(),
        told.objects,
        megabytes(told.bytes)
    )
}

fn println_json(value: &impl Serialize) -> Result<()> {
    crate::print(&serde_json::to_string_pretty(value)?)
}

pub(crate) async fn rollback(args: RollbackArgs) -> Result<()> {
    let progress = Progress::new(args.json);
    let going_back = || format!("cannot go back at `{}`", args.target.target);
    let target = args.target.open().with_context(going_back)?;
    let inventory = Inventory::of(&target).await.with_context(going_back)?;
    let revision = chosen(&inventory, args.revision.as_deref()).with_context(going_back)?;
    let package = package(&target, &revision.name)
        .await
        .with_context(going_back)?;
    let missing = missing(revision, &package);
    if missing > 0 {
        return Err(PublishError::NotWhole {
            revision: revision.name.clone(),
            missing,
        })
        .with_context(going_back);
    }
    if package.root.iter().all(|file| file.path != MULTIVARIANT) {
        return Err(PublishError::NoMaster(revision.name.clone())).with_context(going_back);
    }
    let publication = Publication::without_folder(&target, &revision.name)
        .await
        .with_context(going_back)?;
    let last = (package.root.iter())
        .map(|file| Upload::of_bytes(&file.path, file.text.clone()))
        .collect();
    publication.switch(last).await.with_context(going_back)?;
    progress.note(format_args!(
        "revision {} plays again, instead of {}",
        revision.name,
        inventory.live.as_deref().unwrap_or("none")
    ));
    let url = target.master();
    progress.result(
        &url,
        &serde_json::json!({"url": url, "revision": revision.name}),
    );
    Ok(())
}

/// The one that was asked for, else the one that was replaced last.
fn chosen<'a>(
    inventory: &'a Inventory,
    wanted: Option<&str>,
) -> Result<&'a Revision, PublishError> {
    let mut all = inventory.revisions.iter();
    if let Some(wanted) = wanted {
        return all
            .find(|revision| revision.name == wanted)
            .ok_or_else(|| PublishError::NoRevision(wanted.to_owned()));
    }
    all.filter(|revision| inventory.live.as_ref() != Some(&revision.name))
        .filter(|revision| revision.published().is_some())
        .max_by_key(|revision| revision.replaced())
        .ok_or_else(|| PublishError::NoRevision("that played before".to_owned()))
}

/// What a revision's `package.json` says.
pub(super) async fn package(target: &Target, revision: &str) -> Result<Package, PublishError> {
    let none = || PublishError::NoRevision(revision.to_owned());
    if !is_revision(revision) {
        return Err(none());
    }
    let path = package_json::own_path(revision);
    let stored = target.get(&path).await?.ok_or_else(none)?;
    Package::parse(&stored.bytes, revision).map_err(|why| PublishError::BadPackage { path, why })
}

/// How many objects are not there, or are of another size.
fn missing(revision: &Revision, package: &Package) -> usize {
    let there: HashMap<&str, u64> = (revision.entries.iter())
        .map(|entry| (entry.path.as_str(), entry.bytes))
        .collect();
    let own = |path: &str| !package_json::is_mutable(path);
    (package.objects.iter())
        .filter(|object| own(&object.path))
        .filter(|object| there.get(object.path.as_str()) != Some(&object.bytes))
        .count()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Minutes, for the time at which a thing was written.
    pub(in super::super) fn entry(path: &str, minute: i64) -> Entry {
        Entry {
            path: path.to_owned(),
            bytes: 10,
            modified: DateTime::from_timestamp(minute * 60, 0).expect("a time"),
        }
    }

    #[test]
    fn an_inventory_tells_what_plays_from_what_played_and_what_never_did() {
        let inventory = Inventory::new(
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/bb/480p/playlist.m3u8\n",
            "<BaseURL>v/cc/480p/</BaseURL>",
            vec![
                entry("master.m3u8", 9),
                entry("v/aa/package.json", 1),
                entry("v/aa/replaced.json", 99),
                entry("v/aa/seg", 0),
                entry("v/bb/package.json", 8),
                entry("v/cc/package.json", 10),
                entry("v/dd/seg", 12),
                entry("v/loose", 1),
                entry("v/\u{1b}[2J/package.json", 20),
                entry("v/../package.json", 20),
            ],
        );
        assert_eq!(inventory.live.as_deref(), Some("bb"));
        assert_eq!(inventory.named, ["bb", "cc"]);
        let names: Vec<&str> = (inventory.revisions.iter())
            .map(|revision| revision.name.as_str())
            .collect();
        assert_eq!(names, ["bb", "dd", "cc", "aa"]);
        assert_eq!(inventory.others.len(), 4);
        let found = |wanted| chosen(&inventory, wanted).map(|revision| revision.name.as_str());
        assert_eq!(found(None).expect("there is one"), "aa");
        assert_eq!(found(Some("cc")).expect("there is one"), "cc");
        assert!(found(Some("zz")).is_err());
    }
}
