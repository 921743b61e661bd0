//! A recording is as long as its packets.

use std::fs;

use testkit::process::succeed;
use testkit::recording::{ffmpeg, make};

use super::{H264, Packaged, TONE, VIDEO, changed, find, judge, judge_shared, replace};

/// Loud, and then silent: an estimate from the beginning is far too short or too long.
const LOUD_THEN_QUIET: &str = "aevalsrc=if(lt(t\\,3)\\,random(0)-0.5\\,0):d=25:s=44100";

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
