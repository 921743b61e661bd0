//! Subtitles in old charsets, and odd paths of recordings with subtitles.

use std::fs;
use std::path::Path;

use testkit::process::{run, succeed, text};
use testkit::recording::{ffmpeg, make};

use super::{H264, TONE, VIDEO, changed, codes, package, replace};
use crate::common::{self, package_json, revision_folder, shared};

/// All cues of the captions in a language.
fn cues(out: &Path, language: &str) -> String {
    let file = revision_folder(out).join(format!("subs/{language}/captions.vtt"));
    fs::read_to_string(file).expect("captions")
}

#[test]
fn subtitles_in_old_charsets_are_kept_and_the_guess_is_said() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path();
    if let Some(file) = shared("19-latin1-subtitles.mkv") {
        let out = folder.join("shared");
        let run = package(&file, &out, &[]);
        assert_eq!(run.code, 0, "{run:?}");
        let found = cues(&out, "und");
        assert!(
            found.contains("café naïve") && found.contains("plain"),
            "{found}"
        );
        assert_eq!(codes(&package_json(&out)), ["guessed-charset"]);
    }
    let srt = |text: &[u8]| [b"1\n00:00:01,000 --> 00:00:02,000\n", text, b"\n"].concat();
    fs::write(
        folder.join("fr.srt"),
        srt(b"un caf\xe9 na\xefve, d\xe9j\xe0 vu"),
    )
    .expect("written");
    let polish = srt(b"Za\xbf\xf3\xb3\xe6 g\xea\x9cl\xb9 ja\x9f\xf1, prosz\xea");
    fs::write(folder.join("pl.srt"), polish).expect("written");
    let utf_16 = String::from_utf8(srt("Grüße".as_bytes())).expect("UTF-8");
    let utf_16: Vec<u8> = utf_16.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(folder.join("de.srt"), [b"\xff\xfe", &utf_16[..]].concat()).expect("written");
    make(folder, "plain.mkv", &[VIDEO, TONE], H264);
    let words = "-i fr.srt -i pl.srt -map 0 -map 1 -map 2 -c copy -metadata:s:s:0 language=fre \
                 -metadata:s:s:1 language=pol a.mkv";
    let mut command = ffmpeg("-i plain.mkv");
    succeed(command.args(words.split_whitespace()).current_dir(folder));
    let captions = format!("de={}", text(&folder.join("de.srt")));
    let out = folder.join("out");
    let run = package(&folder.join("a.mkv"), &out, &["--captions", &captions]);
    assert_eq!(run.code, 0, "{run:?}");
    for (language, expected) in [
        ("fr", "un café naïve, déjà vu"),
        ("pl", "Zażółć gęślą jaźń, proszę"),
        ("de", "Grüße"),
    ] {
        let found = cues(&out, language);
        assert!(found.contains(expected), "{found}");
    }
    // A byte order mark is no guess.
    assert_eq!(
        codes(&package_json(&out)),
        ["guessed-charset", "guessed-charset"]
    );
    assert!(run.stderr.contains("read as windows-1250"), "{run:?}");
    // The cues of an MP4 are UTF-8 by its standard, and are not by its writers.
    let cue = srt("un café déjà vu".as_bytes());
    fs::write(folder.join("fr.srt"), cue).expect("written");
    let mut command = ffmpeg("-i plain.mkv -i fr.srt -map 0 -map 1 -c copy -c:s mov_text a.mp4");
    succeed(command.current_dir(folder));
    let mp4 = changed(&folder.join("a.mp4"), |bytes| {
        let cue = "un café déjà vu".as_bytes();
        // As many bytes as before, so that no size changes.
        replace(bytes, cue, b"un caf\xe9 d\xe9j\xe0 vu...");
    });
    let out = folder.join("mp4");
    let run = package(&mp4, &out, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let found = cues(&out, "und");
    assert!(found.contains("un café déjà vu..."), "{found}");
    assert_eq!(codes(&package_json(&out)), ["guessed-charset"]);
}

#[test]
fn a_path_may_be_relative_or_odd_for_a_recording_with_subtitles() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path().join("my lectures");
    fs::create_dir_all(folder.join("other")).expect("a folder");
    make(&folder, "plain.mkv", &[VIDEO, TONE], H264);
    let cue = "1\n00:00:01,000 --> 00:00:02,000\nhello\n";
    fs::write(folder.join("s.srt"), cue).expect("written");
    let words = "-i s.srt -map 0 -map 1 -c copy -c:s mov_text -metadata:s:s:0 language=eng";
    let mut command = ffmpeg("-i plain.mkv");
    let command = command.args(words.split(' ')).arg("first talk.mp4");
    succeed(command.current_dir(&folder));
    fs::copy(folder.join("first talk.mp4"), folder.join("-y.mp4")).expect("copied");
    fs::copy(folder.join("first talk.mp4"), folder.join("concat:a|b.mp4")).expect("copied");
    std::os::unix::fs::symlink("first talk.mp4", folder.join("link.mp4")).expect("a link");
    std::os::unix::fs::symlink("../my lectures", folder.join("folder")).expect("a link");
    fs::write(folder.join("-de.srt"), cue).expect("written");
    for (at, input, captions) in [
        (".", "first talk.mp4", "de=-de.srt"),
        (".", "./first talk.mp4", "de=./-de.srt"),
        ("other", "../first talk.mp4", "de=../s.srt"),
        (".", "link.mp4", "de=s.srt"),
        (".", "folder/link.mp4", "de=folder/s.srt"),
        (".", "./-y.mp4", "de=s.srt"),
        (".", "-y.mp4", "de=s.srt"),
        (".", "concat:a|b.mp4", "de=s.srt"),
        ("..", "my lectures/first talk.mp4", "de=my lectures/s.srt"),
    ] {
        let out = tempfile::tempdir().expect("a temporary folder");
        let out = out.path().join("out");
        let options = [
            "--preset",
            "ultrafast",
            "--no-mp4",
            "--no-storyboard",
            "--captions",
        ];
        let mut command = common::command(&["package"]);
        command.args(options).arg(captions).arg("-o").arg(&out);
        command.arg("--").arg(input).current_dir(folder.join(at));
        let run = run(&mut command);
        assert_eq!(run.code, 0, "{input}: {run:?}");
        for language in ["en", "de"] {
            assert!(cues(&out, language).contains("hello"), "{input}");
        }
    }
    if let Some(file) = shared("01-text-subtitles.mp4") {
        let out = root.path().join("out");
        let name = file.file_name().expect("a name");
        let mut command = common::command(&["package", "--preset", "ultrafast", "-o"]);
        command.arg(&out).arg(name);
        command.current_dir(file.parent().expect("a folder"));
        let run = run(&mut command);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(
            package_json(&out)["captions"].as_array().map(Vec::len),
            Some(1)
        );
    }
}
