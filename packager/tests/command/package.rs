//! `lectern package` on real input, with the real ffmpeg.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{command, lectern, package, revision_folder};
use testkit::files::files;
use testkit::process::{run, text};
use testkit::recording::{clip, decode};

/// Every file below a folder, without the revision in its name.
fn names(root: &Path) -> Vec<String> {
    let names =
        files(root).into_keys().map(
            |name| match name.split('/').collect::<Vec<_>>().as_slice() {
                ["v", revision, rest @ ..] => {
                    assert_eq!(revision.len(), 16, "{name}");
                    format!("v/R/{}", rest.join("/"))
                }
                _ => name,
            },
        );
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_recording_becomes_a_package_that_plays_and_a_second_run_does_nothing() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "1280x720", 8);
    let out = root.path().join("out");
    let args = [
        "package",
        text(&input),
        "-o",
        text(&out),
        "--preset",
        "ultrafast",
        "--threads",
        "2",
    ];
    let first = lectern(&args);
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(first.stdout.trim(), text(&out.join("master.m3u8")));
    // 8 s of audio are 376 access units with the encoder's priming. That is one more than two
    // segments hold, and must not be a third.
    assert_eq!(
        names(&out),
        [
            "manifest.mpd",
            "master.m3u8",
            "v/R/240p/init.mp4",
            "v/R/240p/playlist.m3u8",
            "v/R/240p/seg00000.m4s",
            "v/R/240p/seg00001.m4s",
            "v/R/480p/init.mp4",
            "v/R/480p/playlist.m3u8",
            "v/R/480p/seg00000.m4s",
            "v/R/480p/seg00001.m4s",
            "v/R/720p/init.mp4",
            "v/R/720p/playlist.m3u8",
            "v/R/720p/seg00000.m4s",
            "v/R/720p/seg00001.m4s",
            "v/R/audio/en/init.mp4",
            "v/R/audio/en/playlist.m3u8",
            "v/R/audio/en/seg00000.m4s",
            "v/R/audio/en/seg00001.m4s",
            "v/R/iframes/pictures.mp4",
            "v/R/iframes/playlist.m3u8",
            "v/R/lecture.mp4",
            "v/R/master.m3u8",
            "v/R/package.json",
            "v/R/poster.jpg",
            "v/R/storyboard.vtt",
            "v/R/storyboard/00000.jpg",
        ]
    );
    let revision = revision_folder(&out);
    let playlist = |name: &str| fs::read_to_string(revision.join(name)).expect(name);
    assert_eq!(
        playlist("480p/playlist.m3u8"),
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:4.004000,\nseg00000.m4s\n#EXTINF:4.004000,\nseg00001.m4s\n#EXT-X-ENDLIST\n"
    );
    assert_eq!(
        playlist("480p/playlist.m3u8"),
        playlist("720p/playlist.m3u8")
    );
    // 8.008 s at 29.97 frames a second: every 60th frame, and the last one up to the end.
    let pictures = playlist("iframes/playlist.m3u8");
    let shown: Vec<&str> = pictures
        .lines()
        .filter_map(|line| line.strip_prefix("#EXTINF:"))
        .collect();
    assert_eq!(shown, ["2.002000,", "2.002000,", "2.002000,", "2.002000,"]);
    decode(&revision.join("iframes/playlist.m3u8"));
    let master = fs::read_to_string(out.join("master.m3u8")).expect("a Multivariant Playlist");
    let lines: Vec<&str> = master.lines().collect();
    assert!(
        lines[3].contains(r#"NAME="English",LANGUAGE="en",DEFAULT=YES"#),
        "{master}"
    );
    assert!(lines[3].contains(r#"URI="v/"#), "{master}");
    for (at, name, resolution) in [
        (4, "240p", "426x240"),
        (6, "480p", "854x480"),
        (8, "720p", "1280x720"),
    ] {
        assert!(
            lines[at].contains(&format!("RESOLUTION={resolution}")),
            "{master}"
        );
        assert!(lines[at].contains("AVERAGE-BANDWIDTH="), "{master}");
        assert!(lines[at].contains("FRAME-RATE=29.97,"), "{master}");
        assert!(lines[at].contains(r#",mp4a.40.2""#), "{master}");
        assert!(
            lines[at + 1].ends_with(&format!("/{name}/playlist.m3u8")),
            "{master}"
        );
    }
    decode(&out.join("master.m3u8"));

    let second = lectern(&args);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.stderr.contains("already packaged"), "{second:?}");

    // The same input and settings make the same bytes, with any number of encoders.
    let again = root.path().join("again");
    let third = lectern(&[&args[..3], &[text(&again)], &args[4..7], &["1"]].concat());
    assert_eq!(third.code, 0, "{third:?}");
    assert_eq!(files(&out), files(&again));

    // A package that lost an object is rebuilt only on request.
    fs::remove_file(revision.join("480p/seg00001.m4s")).expect("it is there");
    let refused = lectern(&args);
    assert_eq!(refused.code, 2, "{refused:?}");
    let forced = lectern(&[&args[..], &["--force"]].concat());
    assert_eq!(forced.code, 0, "{forced:?}");
    decode(&out.join("master.m3u8"));
}

#[test]
fn no_frame_is_missing_or_repeated_between_chunks() {
    let root = tempfile::tempdir().expect("a temporary folder");
    // 1 s is 29.97 frames: chunks of four segments begin up to one frame late.
    let input = root.path().join("dense.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(clip(root.path(), "160x96", 28))
        .args("-c:v libx264 -preset veryfast -g 20 -c:a copy".split(' '))
        .arg(&input)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    let out = root.path().join("out");
    let args = ["package", text(&input), "-o", text(&out)];
    let more = "--preset ultrafast --segment-duration 1 --ladder 96,64 --codec hevc --no-mp4";
    let run = run(command(&args).args(more.split(' ')));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("audio `en`, in 8 parts\n"), "{run:?}");
    let revision = revision_folder(&out);
    for rung in ["96p", "64p", "96p-hevc", "64p-hevc"] {
        let names = (0..28).map(|segment| format!("seg{segment:05}.m4s"));
        let names = std::iter::once("init.mp4".to_owned()).chain(names);
        let bytes: Vec<Vec<u8>> = names
            .map(|name| fs::read(revision.join(rung).join(&name)).expect(&name))
            .collect();
        let joined = root.path().join("joined.mp4");
        fs::write(&joined, bytes.concat()).expect("it is written");
        let frames = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-show_entries",
                "packet=pts,dts,duration,flags",
            ])
            .args(["-of", "csv=p=0"])
            .arg(&joined)
            .output()
            .expect("ffprobe is installed");
        let frames = String::from_utf8(frames.stdout).expect("text");
        let field = |at: usize| -> Vec<u64> {
            let fields = frames.lines().map(|line| line.split(',').nth(at));
            let fields = fields.map(|field| field.expect("a field"));
            fields
                .map(|field| field.parse().expect("a number"))
                .collect()
        };
        let [mut shown, decoded, lasting] = [0, 1, 2].map(field);
        shown.sort_unstable();
        // The number of frames equals the recording's.
        assert_eq!(shown.len(), 839, "{rung}");
        for times in [shown, decoded] {
            let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(
                steps.eq(std::iter::repeat_n(1001, 838)),
                "{rung}: {times:?}"
            );
        }
        assert!(lasting.iter().all(|ticks| *ticks == 1001), "{rung}");
        // A key frame is the first frame at or after each second.
        let keys = frames.lines().enumerate();
        let keys: Vec<usize> = keys
            .filter(|(_, line)| line.contains(",K"))
            .map(|(frame, _)| frame)
            .collect();
        let expected: Vec<usize> = (0..28_usize)
            .map(|second| (second * 30_000).div_ceil(1001))
            .collect();
        assert_eq!(keys, expected, "{rung}");
    }
    decode(&out.join("master.m3u8"));
}

#[test]
fn unacceptable_input_is_refused_in_a_sentence_and_leaves_nothing() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, bytes: &[u8]| {
        let path = root.path().join(name);
        fs::write(&path, bytes).expect(name);
        path
    };
    let whole = fs::read(clip(root.path(), "320x240", 20)).expect("a clip");
    file("secret.mp4", &whole);
    fs::create_dir(root.path().join("folder")).expect("a folder");
    file("empty.mp4", b"");
    file("garbage.mp4", &[0xA5; 5000]);
    file("cut.mp4", &whole[..whole.len() / 3]);
    file(
        "playlist.mp4",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.mp4\n#EXT-X-ENDLIST\n",
    );
    file("concat.mp4", b"ffconcat version 1.0\nfile secret.mp4\n");
    let full = root.path().join("full");
    fs::create_dir(&full).expect("a folder");
    file("full/thesis.txt", b"my only copy");
    for (input, out, code, said, hint) in [
        (
            "missing.mp4",
            "out",
            3,
            "there is no such file",
            "check the path",
        ),
        (
            "folder",
            "out",
            3,
            "the folder holds no recording",
            "check the name",
        ),
        (
            "empty.mp4",
            "out",
            3,
            "it is empty",
            "download the file again",
        ),
        (
            "garbage.mp4",
            "out",
            3,
            "its index is missing",
            "finished recording",
        ),
        (
            "cut.mp4",
            "out",
            3,
            "it is cut short: it declares 20.0 s",
            "play the recording to its end",
        ),
        (
            "playlist.mp4",
            "out",
            3,
            "its container (`hls`) is not supported",
            "finished recording",
        ),
        (
            "concat.mp4",
            "out",
            3,
            "its container (`concat`) is not supported",
            "finished recording",
        ),
        ("clip.mp4", "full", 2, "holds something else", "--force"),
        (
            "clip.mp4",
            "full/thesis.txt",
            2,
            "holds something else",
            "--force",
        ),
    ] {
        let run = lectern(&[
            "package",
            text(&root.path().join(input)),
            "-o",
            text(&root.path().join(out)),
        ]);
        assert_eq!(run.code, code, "{input}: {run:?}");
        assert!(run.stdout.is_empty(), "{input}: {run:?}");
        let (error, shown) = run.stderr.split_once("\n\nhint: ").expect(input);
        assert!(error.contains(said), "{input}: {error}");
        assert!(shown.contains(hint), "{input}: {shown}");
        assert!(!root.path().join("out").exists(), "{input}");
        let leftovers = fs::read_dir(root.path())
            .expect("a folder")
            .filter(|entry| {
                let name = entry.as_ref().expect("an entry").file_name();
                name.to_string_lossy().contains("partial")
            });
        assert_eq!(leftovers.count(), 0, "{input}");
    }
    assert_eq!(
        fs::read(full.join("thesis.txt")).expect("it is there"),
        b"my only copy"
    );
}

#[test]
fn without_ffmpeg_the_person_is_told_how_to_install_it() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = root.path().join("clip.mp4");
    fs::write(&input, "anything").expect("a file");
    let run = run(command(&["package", text(&input), "-o", "out"]).env("PATH", root.path()));
    assert_eq!(run.code, 4, "{run:?}");
    assert!(run.stderr.contains("`ffprobe` is not installed"), "{run:?}");
    assert!(run.stderr.contains("apt-get install ffmpeg"), "{run:?}");
}

#[test]
fn machines_read_events_on_standard_output_and_nothing_else() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 2);
    let out = root.path().join("out");
    let run = lectern(&["package", text(&input), "-o", text(&out), "--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let events: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let last = events.last().expect("there are events");
    assert_eq!(last["event"], "done");
    assert_eq!(last["result"]["renditions"][0]["folder"], "240p");
    assert_eq!(last["result"]["playlist"], text(&out.join("master.m3u8")));
}

#[test]
fn real_recordings_package_and_play_or_are_refused() {
    let clips = std::env::var_os("LECTERN_CLIPS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/clips"),
        PathBuf::from,
    );
    let root = tempfile::tempdir().expect("a temporary folder");
    for (name, code, expected) in [
        ("bbb-720p25-5s.mp4", 0, "1280x720 854x480 FRAME-RATE=25"),
        (
            "bbb-rotated-minus90.mp4",
            0,
            "1080x1920 720x1280 480x854 FRAME-RATE=24",
        ),
        ("bikes-640x272-noaudio-10s.mp4", 0, "640x272 FRAME-RATE=25"),
        ("no-duration.webm", 0, "1280x720 854x480 FRAME-RATE=14.985"),
        (
            "screen-vfr-3026x1386-noaudio.mp4",
            0,
            "2358x1080 1572x720 1048x480 FRAME-RATE=30",
        ),
        ("one-pixel-444-1fps.mp4", 3, "its video is 1×1"),
        ("two-aac-tracks-novideo.mp4", 0, "mp4a.40.2 TYPE=AUDIO"),
    ] {
        let input = clips.join(name);
        if !input.exists() {
            // `println!` is visible only if a test fails.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: {} is not there (set LECTERN_CLIPS)",
                input.display()
            );
            continue;
        }
        let out = root.path().join(name);
        let run = package(&input, &out, &[]);
        assert_eq!(run.code, code, "{name}: {run:?}");
        if code != 0 {
            assert!(run.stderr.contains(expected), "{name}: {run:?}");
            continue;
        }
        let master = fs::read_to_string(out.join("master.m3u8")).expect(name);
        for part in expected.split(' ') {
            assert!(master.contains(part), "{name} lacks {part}: {master}");
        }
        decode(&out.join("master.m3u8"));
    }
}
