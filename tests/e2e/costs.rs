//! `lectern cost` counts the same requests as the edge.

use std::collections::HashSet;
use testkit::process::succeed;

use serde_json::Value;
use tempfile::TempDir;

use crate::edge::{Edge, lectern};
use crate::{browser, media};

/// Two segments and a partial one.
const SECONDS: u32 = 9;
const MINUTES: &str = "0.15";

/// The keys below `prefix` that were requested by this method, with the cache's result for each.
fn logged(edge: &Edge, method: &str, prefix: &str) -> Vec<(String, String)> {
    edge.log()
        .lines()
        .filter(|line| line.starts_with(r#"{"method""#))
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|line| line["method"] == method)
        .filter_map(|line| {
            let key = line["key"].as_str()?.strip_prefix(prefix)?.to_owned();
            Some((key, line["cache"].as_str().unwrap_or_default().to_owned()))
        })
        .collect()
}

/// Appends a marker to the log.
fn mark(edge: &Edge, prefix: &str, name: &str) {
    edge.get(&format!("/{prefix}{name}"));
    edge.logged(&format!(r#""{prefix}{name}""#));
}

fn reckoned(arguments: &[&str]) -> Value {
    let answer = succeed(
        lectern()
            .args(["cost", "--json", "--views", "1", "--minutes", MINUTES])
            .args(["--lecture-minutes", MINUTES])
            .args(arguments),
    );
    serde_json::from_str(&answer).expect("JSON")
}

/// Video segments requested in more than one rung, because the player switched; and the rungs.
fn sizes<'a>(keys: impl Iterator<Item = &'a str>) -> (usize, usize) {
    let parts = keys.filter_map(|key| {
        let (folder, name) = key.rsplit_once('/')?;
        let (_, size) = folder.rsplit_once('/')?;
        size.ends_with('p').then_some((size, name))
    });
    let all: HashSet<(&str, &str)> = parts.collect();
    let sizes: HashSet<&str> = all.iter().map(|(size, _)| *size).collect();
    let segments = || all.iter().filter(|(_, name)| name.starts_with("seg"));
    let numbers: HashSet<&str> = segments().map(|(_, name)| *name).collect();
    (segments().count() - numbers.len(), sizes.len())
}

#[test]
fn a_lecture_is_published_and_played_in_the_requests_that_its_cost_is_reckoned_with() {
    let folder = TempDir::new().expect("a folder");
    let sample = media::sample(SECONDS);
    let edge = Edge::with_log();
    for (name, packaging, asking) in [
        ("one", &["--ladder", "480"][..], &["--rungs", "480"][..]),
        (
            "ts",
            &["--ladder", "480", "--container", "ts"],
            &["--rungs", "480", "--container", "ts"],
        ),
        ("three", &["--ladder", "1080,720,480"], &[]),
    ] {
        let package = folder.path().join(name);
        succeed(
            lectern()
                .arg("package")
                .arg(&sample)
                .arg("-o")
                .arg(&package)
                .args(["--preset", "ultrafast"])
                .args(packaging),
        );
        let prefix = format!("{name}/");
        edge.publish(&package, &format!("/{prefix}"));
        mark(&edge, &prefix, "published");
        let looks = logged(&edge, "GET", &prefix).len();
        let played = browser::play(&edge, &edge.link(&format!("/{prefix}master.m3u8")));
        assert_eq!(played["how"], "ended", "{played:#}\n{}", edge.log());
        mark(&edge, &prefix, "played");

        let reckoned = reckoned(asking);
        let number = |pointer: &str| {
            let value = reckoned.pointer(pointer).and_then(Value::as_u64);
            usize::try_from(value.expect("a number")).expect("a count")
        };
        let mut written = logged(&edge, "PUT", &prefix);
        // A lecture without rests has no such file.
        written.retain(|(key, _)| !key.ends_with("silences.json"));
        assert_eq!(written.len(), number("/lecture/writes"), "{written:#?}");

        // `publish` checks whether it exists.
        let mut asked = logged(&edge, "GET", &prefix).split_off(looks);
        // What the player shows beside the lecture is not reckoned with.
        let is_beside = |key: &str| {
            let names = [".jpg", "storyboard.vtt", "silences.json"];
            names.iter().any(|name| key.ends_with(name))
        };
        asked.retain(|(key, _)| key != "played" && !is_beside(key));
        let (again, seen) = sizes(asked.iter().map(|(key, _)| key.as_str()));
        let offered = reckoned["lecture"]["rungs"].as_array().expect("rungs");
        // A playlist and an initialization section of each rung that was not requested.
        let spared = (offered.len() - seen) * 2;
        assert_eq!(
            asked.len() - again + spared,
            number("/view/requests"),
            "{again} {spared} {asked:#?}"
        );
        // The first viewer finds an empty cache: each request reads the bucket.
        assert!(asked.iter().all(|(_, cache)| cache == "miss"), "{asked:#?}");
    }
}
