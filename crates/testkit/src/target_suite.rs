//! The suite that every target must pass.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{Run, text};

/// A target, and direct access to its storage.
pub struct SuiteTarget<'a> {
    pub target: String,
    pub run: &'a dyn Fn(&[&str]) -> Run,
    pub read: &'a dyn Fn(&str) -> Option<Vec<u8>>,
    /// Replaces or removes an object.
    pub damage: &'a dyn Fn(&str, Option<&[u8]>),
}

fn revision(folder: &Path) -> String {
    let revisions = std::fs::read_dir(folder.join("v")).expect("a folder");
    let mut names = revisions.map(|entry| entry.expect("an entry").file_name());
    names
        .next()
        .expect("a revision")
        .to_string_lossy()
        .into_owned()
}

pub fn suite([first, second]: &[PathBuf; 2], access: &SuiteTarget<'_>) {
    let target = access.target.as_str();
    let good = |args: &[&str]| {
        let run = (access.run)(args);
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        run
    };
    let [old, new] = [revision(first), revision(second)];
    let plays = |revision: &str| {
        let master = (access.read)("master.m3u8").expect("it is there");
        let manifest = (access.read)("manifest.mpd").expect("it is there");
        let names = |text: &[u8]| String::from_utf8_lossy(text).contains(&format!("v/{revision}/"));
        names(&master) && names(&manifest)
    };
    let nothing = (access.run)(&["revisions", target]);
    assert_eq!(nothing.code, 5, "{nothing:?}");
    assert!(
        nothing.stderr.contains("there is no lecture"),
        "{nothing:?}"
    );

    good(&["publish", text(first), target]);
    assert!(plays(&old));
    good(&["publish", text(first), target]);
    good(&["publish", text(second), target]);
    assert!(plays(&new));
    let listed = good(&["revisions", target, "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let told: Vec<(&str, bool, bool)> = (listed.as_array().expect("a list").iter())
        .map(|told| {
            let name = told["revision"].as_str().expect("a name");
            (name, told["live"] == true, told["replaced"].is_string())
        })
        .collect();
    assert_eq!(
        told,
        [(new.as_str(), true, false), (old.as_str(), false, true)]
    );
    let shown = good(&["revisions", target]).stdout;
    assert!(
        shown.contains("plays\n") && shown.contains("replaced "),
        "{shown}"
    );

    // A day later the old revision has no viewers, but today it may have some.
    let kept = good(&["prune", target, "--keep", "1"]);
    assert_eq!(kept.stdout.trim(), "");
    let back = good(&["rollback", target]);
    assert!(
        back.stderr
            .contains(&format!("revision {old} plays again, instead of {new}"))
    );
    assert!(plays(&old));
    good(&["rollback", target, "--revision", &new]);
    assert!(plays(&new));
    let none = (access.run)(&["rollback", target, "--revision", "0000"]);
    assert_eq!(none.code, 5, "{none:?}");

    let verified = good(&["verify", target]);
    assert!(
        verified.stdout.starts_with(&format!("✔ revision {new}")),
        "{verified:?}"
    );
    let json = std::fs::read(second.join(format!("v/{new}/package.json"))).expect("a package");
    let package: Value = serde_json::from_slice(&json).expect("JSON");
    let mut segments = (package["objects"].as_array().expect("a list").iter())
        .filter_map(|object| object["path"].as_str())
        .filter(|path| path.ends_with(".m4s"));
    let (gone, changed) = (
        segments.next().expect("one"),
        segments.next().expect("another"),
    );
    let mut bytes = (access.read)(changed).expect("it is there");
    bytes[9] ^= 1;
    (access.damage)(gone, None);
    (access.damage)(changed, Some(&bytes));
    let broken = (access.run)(&["verify", target]);
    assert_eq!(broken.code, 6, "{broken:?}");
    for line in [
        format!("✘ {gone} is missing"),
        format!("✘ {changed} has other bytes"),
    ] {
        assert!(broken.stdout.contains(&line), "{line}: {broken:?}");
    }
    let wrong = (access.run)(&["verify", target, "--repair", text(first)]);
    assert_eq!(
        wrong.code, 6,
        "another revision's folder mends nothing: {wrong:?}"
    );
    let mended = good(&["verify", target, "--repair", text(second)]);
    assert_eq!(mended.stdout.matches("was mended").count(), 2, "{mended:?}");
    good(&["verify", target]);

    let dry = good(&[
        "prune",
        target,
        "--keep",
        "1",
        "--max-watch",
        "0s",
        "--dry-run",
    ]);
    assert_eq!(dry.stdout.trim(), old);
    assert!((access.read)(&format!("v/{old}/package.json")).is_some());
    let pruned = good(&["prune", target, "--keep", "1", "--max-watch", "0s"]);
    assert_eq!(pruned.stdout.trim(), old);
    assert!((access.read)(&format!("v/{old}/package.json")).is_none());
    assert!(plays(&new));
    good(&["verify", target]);
    let gone = (access.run)(&["rollback", target]);
    assert_eq!(gone.code, 5, "there is nothing to go back to: {gone:?}");
}
