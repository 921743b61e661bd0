//! The extras of a package beside its ladder, made with the real ffmpeg.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{package, revision_folder};
use sha2::{Digest as _, Sha256};
use testkit::process::text;
use testkit::recording::clip;

const CAPTIONS: &str = "\u{feff}1\r\n00:00:01,000 --> 00:00:02,500\r\n<font color=red>Hello</font> & <i>welcome</i>\r\n\r\n\
                        00:00:06,000 --> 00:00:07,000\r\nno number\r\n";

/// The standard output of a command that must succeed.
fn output(tool: &str, args: &[&str], file: &Path, end: &[&str]) -> Vec<u8> {
    let output = Command::new(tool).args(args).arg(file).args(end).output();
    let output = output.expect("ffmpeg is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{tool}: {said}");
    output.stdout
}

/// The values that ffprobe reads from a file, one per line.
fn probed(file: &Path, entries: &str) -> Vec<String> {
    let args = [
        "-v",
        "error",
        "-of",
        "default=nw=1:nk=1",
        "-show_entries",
        entries,
    ];
    let said = String::from_utf8(output("ffprobe", &args, file, &[])).expect("text");
    said.lines().map(ToOwned::to_owned).collect()
}

/// A lecture of 8.008 s whose first three are black, with a click every second, two chapters and German subtitles.
fn lecture(folder: &Path) -> PathBuf {
    let file = folder.join("lecture.mkv");
    fs::write(
        folder.join("chapters"),
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=3000\ntitle=Start & <hello>\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=3000\nEND=9000\n",
    )
    .expect("chapters");
    fs::write(
        folder.join("de.srt"),
        "1\n00:00:03,000 --> 00:00:04,000\na < b\n",
    )
    .expect("subtitles");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i"])
        .arg("testsrc2=s=1280x720:r=30000/1001,fade=t=in:st=3:d=0.5")
        .args(["-f", "lavfi", "-i"])
        .arg("aevalsrc='if(lt(mod(t,1),0.002),0.8*sin(2*PI*3000*t),0)':s=48000")
        .args([
            "-i", "chapters", "-i", "de.srt", "-map", "0", "-map", "1", "-map", "3",
        ])
        .args(["-map_metadata", "2", "-map_chapters", "2", "-t", "8.008"])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-c:a",
            "pcm_s16le",
            "-c:s",
            "srt",
        ])
        .args([
            "-metadata:s:s:0",
            "language=ger",
            "-metadata:s:a:0",
            "language=eng",
        ])
        .arg(&file)
        .current_dir(folder)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    file
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).expect(name)
}

#[test]
fn a_package_has_a_poster_a_storyboard_a_file_to_take_home_captions_and_chapters() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = lecture(root.path());
    let captions = root.path().join("talk.srt");
    fs::write(&captions, CAPTIONS).expect("captions");
    let out = root.path().join("out");
    let more = [
        "--ladder",
        "720,360",
        "--captions",
        &format!("eng={}", text(&captions)),
    ];
    let run = package(&input, &out, &more);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.stdout.trim(), text(&out.join("master.m3u8")));
    let folder = revision_folder(&out);

    poster_shows_something(&folder.join("poster.jpg"));
    storyboard_is_of_key_frames(&folder);
    file_to_take_home_is_in_sync(&folder.join("lecture.mp4"));

    assert_eq!(
        read(&folder, "chapters.vtt"),
        "WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nStart &amp; &lt;hello&gt;\n\n00:00:03.000 --> 00:00:08.008\nChapter 2\n"
    );
    assert_eq!(
        read(&folder, "chapters.json"),
        "[{\"duration\":3.0,\"start-time\":0.0,\"titles\":[{\"language\":\"und\",\"title\":\"Start & <hello>\"}]},\
         {\"duration\":5.008,\"start-time\":3.0,\"titles\":[{\"language\":\"und\",\"title\":\"Chapter 2\"}]}]\n"
    );
    let head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n";
    assert_eq!(
        read(&folder, "subs/en/seg00000.vtt"),
        format!(
            "{head}00:00:01.000 --> 00:00:02.500\nHello &amp; <i>welcome</i>\n\n00:00:06.000 --> 00:00:07.000\nno number\n"
        )
    );
    assert_eq!(
        read(&folder, "subs/de/seg00000.vtt"),
        format!("{head}00:00:03.000 --> 00:00:04.000\na &lt; b\n")
    );
    assert_eq!(
        read(&folder, "subs/en/playlist.m3u8"),
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:8\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:8.008000,\nseg00000.vtt\n#EXT-X-ENDLIST\n"
    );
    let master = read(&out, "master.m3u8");
    for language in ["de", "en"] {
        let uri = format!("/subs/{language}/playlist.m3u8\"");
        let line = master
            .lines()
            .find(|line| line.contains(&uri))
            .expect("it is listed");
        assert!(line.contains("TYPE=SUBTITLES"), "{line}");
        assert!(line.contains(&format!("LANGUAGE=\"{language}\"")), "{line}");
    }
    let name = text(folder.strip_prefix(&out).expect("it is below")).to_owned();
    let listed = |language: &str| {
        let uri = format!("{name}/subs/{language}/captions.vtt");
        format!("DATA-ID=\"lectern.captions\",URI=\"{uri}\",FORMAT=RAW,LANGUAGE=\"{language}\"")
    };
    let told: Vec<&str> = master
        .lines()
        .filter_map(|line| line.strip_prefix("#EXT-X-SESSION-DATA:"))
        .collect();
    assert_eq!(
        told,
        [
            format!("DATA-ID=\"com.apple.hls.chapters\",URI=\"{name}/chapters.json\""),
            format!("DATA-ID=\"lectern.storyboard\",URI=\"{name}/storyboard.vtt\",FORMAT=RAW"),
            format!("DATA-ID=\"lectern.poster\",URI=\"{name}/poster.jpg\",FORMAT=RAW"),
            listed("en"),
            listed("de"),
        ]
    );
    // ffmpeg 5.1 cannot read captions of a playlist, but it reads all of them in one file.
    let file = folder.join("subs/en/captions.vtt");
    let args = ["-v", "error", "-nostdin", "-i"];
    let said = output("ffmpeg", &args, &file, &["-f", "srt", "-"]);
    let said = String::from_utf8(said).expect("text");
    assert!(said.contains("00:00:01,000 --> 00:00:02,500"), "{said}");

    every_object_is_described(&out, &folder);

    // The text of the captions determines the revision.
    let again = package(&input, &out, &more);
    assert!(again.stderr.contains("already packaged"), "{again:?}");
    fs::write(&captions, CAPTIONS.replace("Hello", "Good day")).expect("captions");
    let refused = package(&input, &out, &more);
    assert_eq!(refused.code, 2, "{refused:?}");
}

fn poster_shows_something(poster: &Path) {
    let end = ["-f", "rawvideo", "-pix_fmt", "gray", "-"];
    let grey = output("ffmpeg", &["-v", "error", "-nostdin", "-i"], poster, &end);
    assert_eq!(grey.len(), 1280 * 720);
    let mean = grey.iter().map(|pixel| u64::from(*pixel)).sum::<u64>() / grey.len() as u64;
    assert!((40..220).contains(&mean), "{mean}");
}

fn storyboard_is_of_key_frames(folder: &Path) {
    let vtt = read(folder, "storyboard.vtt");
    let sprites = fs::read_dir(folder.join("storyboard"))
        .expect("sprites")
        .count();
    assert_eq!(sprites, 1);
    let times: Vec<&str> = vtt.lines().filter(|line| line.contains("-->")).collect();
    assert_eq!(
        times,
        [
            "00:00:00.000 --> 00:00:02.000",
            "00:00:02.000 --> 00:00:04.000",
            "00:00:04.000 --> 00:00:06.000",
            "00:00:06.000 --> 00:00:08.008",
        ]
    );
    let size = probed(&folder.join("storyboard/00000.jpg"), "stream=width,height");
    let size: Vec<u32> = size
        .iter()
        .map(|number| number.parse().expect("a number"))
        .collect();
    let mut found = vec![];
    for line in vtt.lines().filter(|line| line.contains("#xywh=")) {
        let (uri, area) = line.split_once("#xywh=").expect("an area");
        assert_eq!(uri, "storyboard/00000.jpg");
        let area: Vec<u32> = area
            .split(',')
            .map(|number| number.parse().expect("a number"))
            .collect();
        let [x, y, width, height] = area[..] else {
            panic!("{line}");
        };
        assert!(
            x + width <= size[0] && y + height <= size[1],
            "{line} in {size:?}"
        );
        found.push((x, y, width, height));
    }
    assert_eq!(found, [0, 160, 320, 480].map(|x| (x, 0, 160, 90)));
    // The first two are of the black beginning.
    let end = ["-f", "rawvideo", "-pix_fmt", "gray", "-"];
    let file = folder.join("storyboard/00000.jpg");
    let grey = output("ffmpeg", &["-v", "error", "-nostdin", "-i"], &file, &end);
    let middle = 45 * size[0] as usize;
    for (at, is_black) in [true, true, false, false].into_iter().enumerate() {
        let row = &grey[middle + at * 160..middle + (at + 1) * 160];
        assert_eq!(
            row.iter().all(|pixel| *pixel < 24),
            is_black,
            "{at}: {row:?}"
        );
    }
}

fn file_to_take_home_is_in_sync(file: &Path) {
    let bytes = fs::read(file).expect("it is there");
    let at = |name: &[u8]| {
        bytes
            .windows(4)
            .position(|window| window == name)
            .expect("a box")
    };
    assert!(at(b"moov") < at(b"mdat"), "it is fast-start");
    assert_eq!(
        probed(file, "stream=codec_name,start_time"),
        ["h264", "0.000000", "aac", "0.000000"]
    );
    let length: f64 = probed(file, "format=duration")[0]
        .parse()
        .expect("a number");
    assert!((length - 8.008).abs() < 0.03, "{length}");
    let frames = [
        "-v",
        "error",
        "-select_streams",
        "v",
        "-count_packets",
        "-of",
        "csv=p=0",
    ];
    let frames = [&frames[..], &["-show_entries", "stream=nb_read_packets"]].concat();
    let frames = String::from_utf8(output("ffprobe", &frames, file, &[])).expect("text");
    assert_eq!(frames.trim(), "240");
    // The clicks keep their times, to a thousandth of a second: the encoder's priming of 0.021 s is
    // removed.
    let end = ["-map", "0:a", "-ac", "1", "-f", "s16le", "-"];
    let sound = output("ffmpeg", &["-v", "error", "-nostdin", "-i"], file, &end);
    let samples: Vec<i16> = sound
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    for second in 1..8 {
        let from = second * 48_000 - 4_800;
        let (at, _) = samples[from..from + 9_600]
            .iter()
            .enumerate()
            .max_by_key(|(_, sample)| sample.unsigned_abs())
            .expect("samples");
        // A click lasts for 96 samples.
        assert!((4_752..4_944).contains(&at), "second {second}: {at}");
    }
}

fn every_object_is_described(out: &Path, folder: &Path) {
    let package: serde_json::Value =
        serde_json::from_str(&read(folder, "package.json")).expect("JSON");
    let mut listed = vec![];
    for object in package["objects"].as_array().expect("a list") {
        let path = object["path"].as_str().expect("a path");
        let bytes = fs::read(out.join(path)).expect(path);
        assert_eq!(object["bytes"], bytes.len(), "{path}");
        let sha256: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(object["sha256"], sha256, "{path}");
        let name = path.rsplit('/').next().expect("a name");
        listed.push(format!(
            "{name} {}",
            object["type"].as_str().expect("a type")
        ));
    }
    for expected in [
        "poster.jpg image/jpeg",
        "00000.jpg image/jpeg",
        "storyboard.vtt text/vtt; charset=utf-8",
        "chapters.vtt text/vtt; charset=utf-8",
        "chapters.json application/json",
        "captions.vtt text/vtt; charset=utf-8",
        "lecture.mp4 video/mp4",
    ] {
        assert!(
            listed.iter().any(|object| object == expected),
            "{expected}: {listed:?}"
        );
    }
    assert_eq!(package["captions"][0]["language"], "en");
    assert_eq!(package["captions"][1]["cues"], 1);
    assert_eq!(package["chapters"][1]["title"], "Chapter 2");
    assert_eq!(package["storyboard"]["pictures"], 4);
    let lists = fs::read_dir(folder.join("360p")).expect("a folder");
    let lists = lists.filter(|entry| {
        let name = entry.as_ref().expect("an entry").file_name();
        name.to_string_lossy().starts_with("list-")
    });
    assert_eq!(lists.count(), 0);
}

#[test]
fn captions_that_cannot_be_used_are_refused_before_anything_is_encoded() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let input = clip(root.path(), "320x240", 2);
    let out = root.path().join("out");
    let file = |name: &str, bytes: &[u8]| fs::write(root.path().join(name), bytes).expect(name);
    file("notes.txt", b"Dear diary\n");
    file("bad.vtt", b"WEBVTT\n\n00:01.000 --> soon\nhello\n");
    file("good.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n");
    let path = |name: &str| text(&root.path().join(name)).to_owned();
    for (captions, code, said, hint) in [
        (
            format!("en={}", path("none.vtt")),
            3,
            "there is no such file",
            "check the path",
        ),
        (
            format!("en={}", path("notes.txt")),
            3,
            "it has no cue",
            "SubRip",
        ),
        (
            format!("en={}", path("bad.vtt")),
            3,
            "line 3, `00:01.000 --> soon`",
            "correct the line",
        ),
        (
            format!("en={}", text(root.path())),
            3,
            "it cannot be read",
            "a readable file",
        ),
        (
            format!("English={}", path("good.vtt")),
            2,
            "is not a language tag",
            "",
        ),
        (path("good.vtt"), 2, "such as `en=talk.vtt`", ""),
    ] {
        let run = package(&input, &out, &["--captions", &captions]);
        assert_eq!(run.code, code, "{captions}: {run:?}");
        assert!(
            run.stderr.contains(said) && run.stderr.contains(hint),
            "{captions}: {run:?}"
        );
        assert!(!out.exists(), "{captions}");
    }
    let good = format!("en={}", path("good.vtt"));
    let run = package(&input, &out, &["--captions", &good, "--captions", &good]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.stderr.contains("`en` has two captions files"),
        "{run:?}"
    );

    let run = package(&input, &out, &["--no-mp4", "--no-storyboard"]);
    assert_eq!(run.code, 0, "{run:?}");
    let folder = revision_folder(&out);
    assert!(folder.join("poster.jpg").exists());
    let master = read(&out, "master.m3u8");
    assert_eq!(master.matches("#EXT-X-SESSION-DATA").count(), 1, "{master}");
    assert!(master.contains("/poster.jpg\",FORMAT=RAW"), "{master}");
    for absent in [
        "lecture.mp4",
        "storyboard",
        "storyboard.vtt",
        "subs",
        "chapters.vtt",
        "chapters.json",
    ] {
        assert!(!folder.join(absent).exists(), "{absent}");
    }
}
