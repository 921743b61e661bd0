//! No player reads a pass into a URL of another host, whatever an uploader stores. The parsers of
//! hls.js and Shaka Player read the rewriter's output. The fuzz target `readings` tests the same
//! with more inputs.
//!
//! Public playlists are not copied, because others own them: `LECTERN_PLAYLISTS` names their
//! folder.

use std::cell::RefCell;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use testkit::attacks::{
    Attack, AttackSite, asset_lists, attacks, media, multivariant, storyboards,
};
use testkit::player_readings::{
    ORIGIN, Players, Seen, check, check_asset_list, check_storyboard, playlists,
};

/// Generated pairs of playlists.
const CASES: u32 = 3_000;
/// Hostile variations of each public playlist.
const VARIATIONS: usize = 8;

const SITE: AttackSite<'_> = AttackSite {
    origin: ORIGIN,
    evil: "https://evil.example",
    own: "/c/u1",
    others: "/c/u2",
};

/// The players. Without them, prints the reason and returns `None`.
fn players() -> Option<Players> {
    let players = Players::start();
    if players.is_none() {
        assert!(
            std::env::var_os("LECTERN_REQUIRE_INTEROP").is_none(),
            "the players are not installed (npm install)"
        );
        print_line("skipped: Node, hls.js or shaka-player is not installed (npm install)");
    }
    players
}

#[test]
fn no_attack_by_hand_takes_a_pass_or_the_viewers_link_to_another_host() {
    let Some(mut players) = players() else { return };
    let mut seen = Seen::default();
    let mut failed = Vec::new();
    let attacks = attacks(&SITE);
    for Attack {
        name,
        multivariant,
        media,
    } in &attacks
    {
        match check(&mut players, multivariant, media) {
            Ok(found) => seen = sum(seen, found),
            Err(found) => failed.push(format!("=== {name}\n{found}")),
        }
    }
    for (name, body) in asset_lists(&SITE) {
        if let Err(found) = check_asset_list(&body) {
            failed.push(format!("=== {name}\n{found}"));
        }
    }
    for (name, board) in storyboards(&SITE) {
        if let Err(found) = check_storyboard(&board) {
            failed.push(format!("=== {name}\n{found}"));
        }
    }
    print_line(&format!(
        "{} attacks by hand, {} fail: {seen:?}",
        attacks.len(),
        failed.len()
    ));
    assert!(
        failed.is_empty(),
        "{} of {} attacks:\n{}\nThe first of them:\n{}",
        failed.len(),
        attacks.len(),
        failed
            .iter()
            .filter_map(|text| text.lines().next())
            .collect::<Vec<_>>()
            .join("\n"),
        failed[0]
    );
    // Most of their URLs are signed or foreign, so the parsers did read them.
    assert!(
        seen.passes > 1_000 && seen.signed > 1_000 && seen.foreign > 1_000,
        "{seen:?}"
    );
}

#[test]
fn the_attacks_that_were_handed_in_take_nothing_to_another_host() {
    let Some(mut players) = players() else { return };
    let folder = folder("LECTERN_ATTACKS", "../shared/attacks");
    let Some(folder) = folder else { return };
    let mut names: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with("-master.m3u8"))
        .collect();
    names.sort();
    let mut failed = Vec::new();
    for master in &names {
        let text = |path: &Path| {
            fs::read_to_string(path)
                .ok()
                .map(|text| text.replace("/uploads/", "/c/"))
        };
        let path = master
            .to_string_lossy()
            .replace("-master.m3u8", "-media.m3u8");
        let multivariant = text(master).expect("a playlist");
        let media = text(Path::new(&path)).unwrap_or_else(|| media(""));
        if let Err(found) = check(&mut players, multivariant.as_bytes(), media.as_bytes()) {
            failed.push(format!("=== {}\n{found}", master.display()));
        }
    }
    print_line(&format!(
        "{} attacks that were handed in, {} fail",
        names.len(),
        failed.len()
    ));
    assert!(names.len() >= 7, "{names:?}");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Hostile playlists: indices of pieces, and a few bytes beyond the tables.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        // Lines and tags, attributes, URIs, and anything.
        3 => 0_u8..30,
        3 => 30_u8..49,
        6 => 49_u8..77,
        6 => 77_u8..125,
        1 => any::<u8>(),
    ];
    let lines = prop::collection::vec(piece, 0..24);
    (0_u8..16, lines.clone(), lines).prop_map(|(form, multivariant, media)| {
        // Half of all are plain UTF-8 with a head.
        let form = if form < 8 { 0 } else { form };
        [&[form], multivariant.as_slice(), &[0xFF], &media].concat()
    })
}

#[test]
fn no_generated_playlist_takes_a_pass_or_the_viewers_link_to_another_host() {
    let Some(players) = players() else { return };
    let players = RefCell::new(players);
    let seen = RefCell::new(Seen::default());
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&pieces(), |data| {
        let [multivariant, media] = playlists(&data);
        match check(&mut players.borrow_mut(), &multivariant, &media) {
            Ok(found) => {
                seen.replace_with(|seen| sum(*seen, found));
                Ok(())
            }
            Err(found) => Err(TestCaseError::fail(found)),
        }
    });
    let seen = seen.into_inner();
    print_line(&format!("{CASES} generated pairs of playlists: {seen:?}"));
    if let Err(error) = outcome {
        panic!("{error}");
    }
    assert!(
        seen.passes > 400 && seen.signed > 400 && seen.foreign > 300,
        "{seen:?}"
    );
}

#[test]
fn no_public_playlist_and_no_hostile_variation_of_one_takes_a_pass_to_another_host() {
    let Some(mut players) = players() else { return };
    let Some(folder) = folder("LECTERN_PLAYLISTS", "../shared/playlists") else {
        return;
    };
    let mut files = Vec::new();
    collect(&folder, &mut files);
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut seen = Seen::default();
    let mut failed = Vec::new();
    for file in &files {
        let text = fs::read(file).expect("a playlist");
        for variation in 0..=VARIATIONS {
            let text = if variation == 0 {
                text.clone()
            } else {
                varied(&text, &mut random)
            };
            let listed = multivariant("");
            let other = media("");
            // Opened by a link, and listed by another playlist.
            for (multivariant, media) in [(&text[..], other.as_bytes()), (listed.as_bytes(), &text)]
            {
                match check(&mut players, multivariant, media) {
                    Ok(found) => seen = sum(seen, found),
                    Err(found) => {
                        failed.push(format!(
                            "=== {} variation {variation}\n{found}",
                            file.display()
                        ));
                    }
                }
            }
        }
    }
    print_line(&format!(
        "{} public playlists with {VARIATIONS} variations each, {} fail: {seen:?}",
        files.len(),
        failed.len()
    ));
    assert!(
        failed.is_empty(),
        "{} fail; the first:\n{}",
        failed.len(),
        failed[0]
    );
    assert!(
        files.len() >= 200 && seen.passes >= 20_000 && seen.signed >= 20_000,
        "{seen:?}"
    );
}

/// A playlist with up to four hostile pieces at the ends of lines or within them.
fn varied(text: &[u8], random: &mut TestRng) -> Vec<u8> {
    // The first lines of a long playlist are enough.
    let mut out = text[..text.len().min(4096)].to_vec();
    for _ in 0..=random.random_below(3) {
        let at = random.random_below(out.len());
        let at = if random.random_below(2) == 0 {
            out[at..]
                .iter()
                .position(|&byte| byte == b'\n')
                .map_or(out.len(), |end| at + end)
        } else {
            at
        };
        let count = 1 + random.random_below(3);
        let pieces: Vec<u8> = (0..count)
            .map(|_| u8::try_from(random.random_below(124)).expect("a piece"))
            .collect();
        let [piece, _] = playlists(&[&[1], pieces.as_slice()].concat());
        out.splice(at..at, piece);
    }
    out
}

/// Random numbers up to a bound, inclusive.
trait Below {
    fn random_below(&mut self, bound: usize) -> usize;
}

impl Below for TestRng {
    fn random_below(&mut self, bound: usize) -> usize {
        let number = self.next_u32() as usize;
        number % (bound + 1)
    }
}

fn sum(one: Seen, other: Seen) -> Seen {
    Seen {
        passes: one.passes + other.passes,
        signed: one.signed + other.signed,
        foreign: one.foreign + other.foreign,
    }
}

/// The folder that a variable names, or one beside the repository. Without it, prints the reason
/// and returns `None`.
fn folder(variable: &str, beside: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(beside),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    print_line(&format!(
        "skipped: {} is not there ({variable})",
        folder.display()
    ));
    None
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            collect(&entry, files);
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "m3u8")
        {
            files.push(entry);
        }
    }
}

/// Bypasses the test harness, which hides the output of passing tests.
fn print_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
