//! Recordings that people have, of the kinds of public bug reports: each becomes a package of all
//! that it holds, or a refusal in words. A file of `../shared/recordings` runs where it is there,
//! and a recording made here of the same kind runs everywhere.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{lectern, package_json};
use testkit::process::{Run, succeed, text};
use testkit::recording::{decode, ffmpeg, make};

const VIDEO: &str = "testsrc2=s=160x120:r=25:d=4";
const TONE: &str = "sine=f=440:r=48000:d=4";
const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac";
/// Loud, and then silent: an estimate from the beginning is far too short or too long.
const LOUD_THEN_QUIET: &str = "aevalsrc=if(lt(t\\,3)\\,random(0)-0.5\\,0):d=25:s=44100";

enum Outcome {
    /// Seconds, and the codes of the warnings.
    Packaged(f64, &'static [&'static str]),
    /// A part of the error.
    Refused(&'static str),
}
use Outcome::{Packaged, Refused};

/// A file of `../shared/recordings`, if it is there.
fn shared(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/recordings");
    Some(folder.join(name)).filter(|file| file.exists())
}

fn package(input: &Path, out: &Path, options: &[&str]) -> Run {
    let args = ["package", text(input), "-o", text(out)];
    let small = [
        "--preset",
        "ultrafast",
        "--threads",
        "1",
        "--no-mp4",
        "--no-storyboard",
    ];
    lectern(&[&args[..], &small, options].concat())
}

fn codes(package: &Value) -> Vec<&str> {
    let warnings = package["warnings"].as_array();
    let warnings = warnings.into_iter().flatten();
    let codes = warnings.map(|warning| warning["code"].as_str().expect("a code"));
    codes.collect()
}

/// Packages a recording, and compares the result.
fn judge(input: &Path, outcome: &Outcome) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    let run = package(input, &out, &[]);
    let said = format!("{}: {run:?}", input.display());
    // No line of ffmpeg reaches a person.
    assert!(!run.stderr.contains(" @ 0x"), "{said}");
    match outcome {
        Packaged(seconds, warnings) => {
            assert_eq!(run.code, 0, "{said}");
            let package = package_json(&out);
            let duration = package["duration"].as_f64().expect("a number");
            assert!((duration - seconds).abs() < 0.2, "{duration} s: {said}");
            assert_eq!(codes(&package), *warnings, "{said}");
            let lines = run.stderr.lines();
            let lines = lines.filter(|line| line.starts_with("warning: "));
            assert_eq!(lines.count(), warnings.len(), "{said}");
            for rendition in package["renditions"].as_array().expect("renditions") {
                let folder = rendition["folder"].as_str().expect("a folder");
                let revision = package["revision"].as_str().expect("a name");
                decode(&out.join(format!("v/{revision}/{folder}/playlist.m3u8")));
            }
        }
        Refused(reason) => {
            assert_eq!(run.code, 3, "{said}");
            assert!(run.stderr.contains(reason), "{said}");
            assert!(run.stderr.contains("\nhint: "), "{said}");
            assert!(!out.exists(), "{said}");
        }
    }
}

/// Judges shared files, with the outcome for each.
fn judge_shared(files: &[(&str, Outcome)]) {
    for (name, outcome) in files {
        if let Some(file) = shared(name) {
            judge(&file, outcome);
        }
    }
}

/// Writes a recording whose bytes are changed.
fn changed(file: &Path, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = fs::read(file).expect("a recording");
    change(&mut bytes);
    fs::write(file, bytes).expect("it is written");
    file.to_owned()
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    let mut windows = bytes.windows(part.len());
    windows
        .position(|found| found == part)
        .expect("it is there")
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = find(bytes, from);
    bytes[at..at + to.len()].copy_from_slice(to);
}

/// Gives the sample entry `from` of an MP4 another name, and appends a box to it.
fn extend_entry(bytes: &mut Vec<u8>, from: &[u8; 4], to: &[u8; 4], more: &[u8]) {
    // A brand of the file may have the same name before.
    let mut names = bytes.windows(4);
    let entry = names.rposition(|found| found == from).expect("an entry") - 4;
    let size = |bytes: &[u8], at: usize| {
        u32::from_be_bytes(*bytes[at..].first_chunk().expect("a size")) as usize
    };
    let end = entry + size(bytes, entry);
    let mut parents = vec![entry];
    for name in [b"stsd", b"stbl", b"minf", b"mdia", b"trak", b"moov"] {
        let mut windows = bytes[..entry].windows(4);
        parents.push(windows.rposition(|found| found == name).expect("a parent") - 4);
    }
    for parent in parents {
        let larger = u32::try_from(size(bytes, parent) + more.len()).expect("small");
        bytes[parent..parent + 4].copy_from_slice(&larger.to_be_bytes());
    }
    bytes[entry + 4..entry + 8].copy_from_slice(to);
    bytes.splice(end..end, more.iter().copied());
}

#[test]
fn a_recording_is_as_long_as_its_packets_whatever_its_headers_declare() {
    judge_shared(&[
        ("13-loud-then-quiet.aac", Packaged(40.0, &[])),
        ("14-subtitles-outlast.mkv", Packaged(6.0, &[])),
        (
            "14a-nasa_13013.torchcodec.mp4",
            Packaged(13.05, &["extra-video"]),
        ),
        ("14b-chapters-outlast.mp4", Packaged(5.0, &[])),
        (
            "14c-stale-duration.flv",
            Packaged(6.04, &["shorter-than-declared"]),
        ),
        ("14e-joined.mpg", Packaged(8.0, &[])),
        ("14f-first-pts-10s.androidx.mp4", Packaged(4.0, &[])),
    ]);
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path();
    let clip = |name: &str, options: &str| make(folder, name, &[VIDEO, TONE], options);
    for (name, options) in [
        ("loud.aac", "-c:a aac -b:a 128k"),
        ("vbr.mp3", "-c:a libmp3lame -q:a 9 -write_xing 0"),
    ] {
        judge(
            &make(folder, name, &[LOUD_THEN_QUIET], options),
            &Packaged(25.0, &[]),
        );
    }
    fs::write(
        folder.join("s.srt"),
        "1\n00:00:01,000 --> 00:00:16,000\nlate\n",
    )
    .expect("written");
    let chapter = "[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=30\ntitle=late\n";
    fs::write(folder.join("chapters"), format!(";FFMETADATA1\n{chapter}")).expect("written");
    clip("plain.mkv", H264);
    for (name, words) in [
        ("subtitles.mkv", "-i s.srt -map 0 -map 1 -c copy"),
        (
            "subtitles.mp4",
            "-i s.srt -map 0 -map 1 -c copy -c:s mov_text",
        ),
        (
            "chapters.mp4",
            "-i chapters -map_metadata 1 -map_chapters 1 -c copy",
        ),
        (
            "chapters.mkv",
            "-i chapters -map_metadata 1 -map_chapters 1 -c copy",
        ),
    ] {
        let mut command = ffmpeg("-i plain.mkv");
        let command = command.args(words.split(' ')).arg(name);
        succeed(command.current_dir(folder));
        judge(&folder.join(name), &Packaged(4.0, &[]));
    }
    let flv = changed(&clip("stale.flv", H264), |bytes| {
        let at = find(bytes, b"duration") + 9;
        bytes[at..at + 8].copy_from_slice(&60_f64.to_be_bytes());
    });
    judge(&flv, &Packaged(4.0, &["shorter-than-declared"]));
    let matroska = changed(&folder.join("plain.mkv"), |bytes| {
        let at = find(bytes, b"\x44\x89\x88") + 3;
        bytes[at..at + 8].copy_from_slice(&60_000_f64.to_be_bytes());
        for _ in 0..2 {
            replace(bytes, b"00:00:04.", b"00:00:59.");
        }
    });
    judge(&matroska, &Packaged(4.0, &["shorter-than-declared"]));
    for name in ["joined.mpg", "joined.ts"] {
        let codecs = "-c:v mpeg2video -b:v 500k -c:a mp2";
        let joined = changed(&clip(name, codecs), |bytes| bytes.extend_from_within(..));
        judge(&joined, &Packaged(8.0, &[]));
    }
    let late = clip("late.mp4", &format!("{H264} -an -output_ts_offset 10"));
    judge(&late, &Packaged(4.0, &[]));
    // ffmpeg reads 7 s for the parameters of a Transport Stream.
    let video = "testsrc2=s=160x120:r=25:d=13";
    let options = format!("{H264} -af asetpts=PTS+9/TB");
    let late_audio = make(folder, "late-audio.ts", &[video, TONE], &options);
    judge(&late_audio, &Packaged(13.0, &[]));
}

#[test]
fn a_file_that_ends_early_is_found_whatever_its_container() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (name, inputs, options) in [
        ("front.mp4", &[VIDEO, TONE][..], "-movflags +faststart"),
        ("back.mp4", &[VIDEO, TONE], ""),
        ("a.mov", &[VIDEO, TONE], "-movflags +faststart"),
        (
            "fragments.mp4",
            &[VIDEO, TONE],
            "-movflags +frag_keyframe+global_sidx -g 25",
        ),
        ("a.mkv", &[VIDEO, TONE], ""),
        (
            "a.webm",
            &[VIDEO, TONE],
            "-c:v libvpx -deadline realtime -c:a libopus",
        ),
        ("a.avi", &[VIDEO, TONE], ""),
        ("a.flv", &[VIDEO, TONE], ""),
        ("a.wmv", &[VIDEO, TONE], "-c:v wmv2 -c:a wmav2"),
        ("a.wav", &[TONE], "-c:a pcm_s16le"),
        ("a.flac", &[TONE], "-c:a flac"),
        ("a.mp3", &[TONE], "-c:a libmp3lame"),
        ("a.m4a", &[TONE], "-movflags +faststart"),
    ] {
        let options = match options.contains("-c:") || inputs.len() == 1 {
            true => options.to_owned(),
            false => format!("{H264} {options}"),
        };
        let whole = make(root.path(), name, inputs, &options);
        let half = changed(&whole, |bytes| bytes.truncate(bytes.len() / 2));
        let reason = match name {
            "back.mp4" => "its index is missing",
            _ => "it is cut short",
        };
        judge(&half, &Refused(reason));
    }
}

#[test]
fn tracks_that_cannot_be_decoded_are_named_with_their_codec() {
    const PCM: &str = "its audio is 24-bit integer PCM (`ipcm`): this ffmpeg cannot decode it";
    const FLOAT: &str =
        "its audio is 32-bit floating-point PCM (`fpcm`): this ffmpeg cannot decode it";
    const DOLBY: &str = "its video is Dolby Vision profile 5";
    judge_shared(&[
        ("03-pcm24-in-mp4.androidx.mp4", Refused(PCM)),
        ("04-float-pcm.androidx.mp4", Refused(FLOAT)),
        ("06-dolby-vision-5.mp4", Refused(DOLBY)),
        (
            "16-32bit.androidx.flac",
            Refused("its audio is 32-bit FLAC: this ffmpeg cannot decode it"),
        ),
    ]);
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path();
    let pcm = |name: &str, tag: &[u8; 4], bits: u8| {
        let whole = make(folder, name, &[TONE], "-c:a pcm_s16le");
        let format = [&b"\0\0\0\x0epcmC\0\0\0\0\x01"[..], &[bits]].concat();
        changed(&whole, |bytes| extend_entry(bytes, b"sowt", tag, &format))
    };
    judge(&pcm("ipcm.mov", b"ipcm", 24), &Refused(PCM));
    judge(&pcm("fpcm.mov", b"fpcm", 32), &Refused(FLOAT));
    // A decoder for a codec that ffmpeg knows is missing.
    for (name, tag, expected) in [
        (
            "mpegh.m4a",
            b"mhm1",
            "its audio is MPEG-H 3D Audio (`mhm1`)",
        ),
        ("ac4.m4a", b"ac-4", "its audio is AC-4 (`ac-4`)"),
        ("new.m4a", b"zz9 ", "its audio is `zz9 `"),
    ] {
        let whole = make(folder, name, &[TONE], "-c:a aac");
        let unknown = changed(&whole, |bytes| {
            replace(bytes, b"mp4a", tag);
            // It names the codec, too.
            replace(bytes, b"esds", b"skip");
        });
        judge(&unknown, &Refused(expected));
    }
    let video = make(folder, "dovi.mp4", &[VIDEO], H264);
    let record = [&b"\0\0\0\x20dvcC\x01\0\x0a\x1d"[..], &[0; 20]].concat();
    let video = changed(&video, |bytes| {
        extend_entry(bytes, b"avc1", b"avc1", &record);
    });
    judge(&video, &Refused(DOLBY));
    // Beside a track that plays, it is left out.
    let options = format!("-map 0 -map 1 -map 1 {H264} -c:a:1 pcm_s16le");
    let two = make(folder, "two.mov", &[VIDEO, TONE], &options);
    let two = changed(&two, |bytes| replace(bytes, b"sowt", b"ac-4"));
    judge(&two, &Packaged(4.0, &["undecodable-track"]));
}

#[test]
fn an_encrypted_recording_is_refused_in_words() {
    judge_shared(&[("17-widevine.androidx.mp4", Refused("it is encrypted"))]);
    let root = tempfile::tempdir().expect("a temporary folder");
    let key = "-encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb \
               -encryption_kid a7e61c373e219033c21091fa607bf3b8";
    let options = format!("{H264} {key}");
    let encrypted = make(root.path(), "cenc.mp4", &[VIDEO, TONE], &options);
    judge(&encrypted, &Refused("it is encrypted"));
    let whole = make(root.path(), "a.ts", &[VIDEO, TONE], H264);
    let scrambled = changed(&whole, |bytes| {
        for packet in bytes.chunks_exact_mut(188) {
            // The tables stay clear.
            if packet[1] & 0x1f != 0 || packet[2] > 0x11 {
                packet[3] |= 0x80;
                packet[4..].iter_mut().for_each(|byte| *byte ^= 0x5a);
            }
        }
    });
    judge(&scrambled, &Refused("it is encrypted"));
}

#[test]
fn the_video_is_the_track_that_moves_and_tracks_without_data_are_left_out() {
    judge_shared(&[
        ("07-still-first.mkv", Packaged(5.02, &["extra-video"])),
        ("11-no-sound-packets.webm", Packaged(5.0, &["empty-track"])),
    ]);
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path();
    let options = "-map 0 -map 1 -map 2 -c:v:0 mjpeg -c:v:1 libx264 -preset ultrafast -c:a aac \
                   -disposition:v:0 default -disposition:v:1 0";
    let still = "testsrc2=s=64x48:r=25:d=0.04";
    let still_first = make(folder, "still.mkv", &[still, VIDEO, TONE], options);
    judge(&still_first, &Packaged(4.0, &["extra-video"]));
    let out = folder.join("out");
    assert_eq!(package(&still_first, &out, &[]).code, 0);
    assert_eq!(package_json(&out)["renditions"][0]["picture"]["width"], 160);
    let options = "-c:v libvpx -deadline realtime -c:a libopus -af atrim=start=10";
    let silent = make(folder, "silent.webm", &[VIDEO, TONE], options);
    judge(&silent, &Packaged(4.0, &["empty-track"]));
}

#[test]
fn frames_that_a_damaged_recording_lacks_are_counted() {
    let missing = |input: &Path| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("out");
        let run = package(input, &out, &["--json"]);
        assert_eq!(run.code, 0, "{run:?}");
        let package = package_json(&out);
        let warnings = package["warnings"].as_array().expect("warnings").clone();
        let of_video = warnings
            .into_iter()
            .find(|warning| warning["code"] == "missing-frames" && warning["kind"] == "video");
        let warning = of_video.expect("frames are missing");
        let message = warning["message"].as_str().expect("a message");
        let events = run.stdout.lines();
        let mut events = events.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let event = events.find(|event| event["event"] == "warning");
        assert_eq!(event.expect("an event")["code"], "missing-frames");
        let [missing, of] = ["missing", "of"].map(|name| warning[name].as_u64().expect(name));
        assert!(
            message.contains(&format!("{missing} of {of} frames")),
            "{message}"
        );
        (missing, of)
    };
    if let Some(file) = shared("08-damaged-middle.mkv") {
        assert_eq!(missing(&file), (48, 150));
    }
    let root = tempfile::tempdir().expect("a temporary folder");
    let whole = make(
        root.path(),
        "a.mkv",
        &[VIDEO, TONE],
        &format!("{H264} -g 25"),
    );
    let damaged = changed(&whole, |bytes| {
        // The head of a cluster: what it holds is not found.
        let middle = bytes.len() / 2;
        let at = middle + find(&bytes[middle..], b"\xa3");
        bytes[at..at + 3000]
            .iter_mut()
            .for_each(|byte| *byte ^= 0x55);
    });
    let (missing, of) = missing(&damaged);
    assert!((1..50).contains(&missing) && of == 100, "{missing} of {of}");
}

#[test]
fn raw_dv_is_packaged() {
    judge_shared(&[("18-raw-dv.dv", Packaged(0.28, &[]))]);
    let root = tempfile::tempdir().expect("a temporary folder");
    let inputs = ["testsrc2=s=720x576:r=25:d=1", "anullsrc=r=48000:cl=stereo"];
    let options = "-t 1 -c:v dvvideo -pix_fmt yuv420p -c:a pcm_s16le";
    let dv = make(root.path(), "a.dv", &inputs, options);
    judge(&dv, &Packaged(1.0, &[]));
}

/// All cues of the captions in a language.
fn cues(out: &Path, language: &str) -> String {
    let mut revisions = fs::read_dir(out.join("v")).expect("a revision");
    let revision = revisions.next().expect("one").expect("an entry").path();
    let file = revision.join(format!("subs/{language}/captions.vtt"));
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
        let mut command = crate::common::command(&["package"]);
        command.args(options).arg(captions).arg("-o").arg(&out);
        command.arg("--").arg(input).current_dir(folder.join(at));
        let run = testkit::process::run(&mut command);
        assert_eq!(run.code, 0, "{input}: {run:?}");
        for language in ["en", "de"] {
            assert!(cues(&out, language).contains("hello"), "{input}");
        }
    }
    if let Some(file) = shared("01-text-subtitles.mp4") {
        let out = root.path().join("out");
        let name = file.file_name().expect("a name");
        let mut command = crate::common::command(&["package", "--preset", "ultrafast", "-o"]);
        command.arg(&out).arg(name);
        command.current_dir(file.parent().expect("a folder"));
        let run = testkit::process::run(&mut command);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(
            package_json(&out)["captions"].as_array().map(Vec::len),
            Some(1)
        );
    }
}

#[test]
fn audio_of_no_declared_language_is_undetermined_unless_it_is_named() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let whole = make(root.path(), "a.webm", &[TONE], "-c:a libopus");
    // Browsers write no Language element, for which RFC 9559 gives `eng`.
    let browser = changed(&whole, |bytes| {
        replace(bytes, b"\x22\xb5\x9c\x83und", b"\xec\x85\0\0\0\0\0");
    });
    let probed = std::process::Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "stream_tags=language",
            "-of",
            "csv=p=0",
        ])
        .arg(&browser)
        .output()
        .expect("ffprobe is installed");
    assert_eq!(String::from_utf8_lossy(&probed.stdout).trim(), "eng");
    for (options, expected) in [(&[][..], "audio/und"), (&["--language", "de"], "audio/de")] {
        let out = root.path().join(expected.replace('/', "-"));
        let run = package(&browser, &out, options);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(package_json(&out)["renditions"][0]["folder"], expected);
    }
    let out = root.path().join("out");
    let run = package(&browser, &out, &["--language", "german language"]);
    assert_eq!(run.code, 2, "{run:?}");
}
