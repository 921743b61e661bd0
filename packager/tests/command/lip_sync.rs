//! Lip sync: a flash and a beep at the same moment stay together, whatever a lecture is read from.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{download, lectern};
use crate::elsewhere::Platform;
use testkit::process::{run, text};
use testkit::recording::{ffmpeg, make};

/// Milliseconds that viewers do not notice, and half a frame at 25 frames a second.
const MOST: f64 = 20.0;

/// A recording with a flash and a beep at 1, 3 and 5 s.
fn flash_and_beep(folder: &Path, rate: u32) -> PathBuf {
    let picture = format!(
        "color=black:s=160x120:r={rate}:d=6,\
         drawbox=t=fill:color=white:enable='lt(mod(t+1.001,2),0.19)'"
    );
    let sound = "aevalsrc='0.5*lt(mod(t+1,2),0.1)*sin(2*PI*1000*t)':s=48000:d=6";
    let options = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a aac";
    make(folder, &format!("{rate}.mp4"), &[&picture, sound], options)
}

/// Runs ffmpeg on inputs, and returns its output.
fn decode(inputs: &[&str], options: &str) -> Vec<u8> {
    let mut command = ffmpeg("-copyts");
    command.args(inputs).args(options.split_whitespace());
    let output = command.output().expect("ffmpeg runs");
    assert!(output.status.success(), "{inputs:?}: {output:?}");
    output.stdout
}

/// Times at which the video becomes bright.
fn flashes(inputs: &[&str]) -> Vec<f64> {
    let filter = "-map 0:v:0 -vf signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-";
    let shown = decode(inputs, &format!("{filter} -f null -"));
    let shown = String::from_utf8(shown).expect("text");
    let (mut found, mut time, mut was_bright) = (vec![], f64::NAN, false);
    for line in shown.lines() {
        if let Some((_, at)) = line.split_once("pts_time:") {
            time = at.trim().parse().expect("seconds");
        } else if let Some((_, light)) = line.split_once("YAVG=") {
            let is_bright = light.trim().parse::<f64>().expect("a number") > 120.0;
            if is_bright && !was_bright {
                found.push(time);
            }
            was_bright = is_bright;
        }
    }
    found
}

/// Times at which a sound begins. Samples count from 0, where priming is discarded.
fn beeps(inputs: &[&str]) -> Vec<f64> {
    let filter = "-map 0:a:0 -af aresample=48000:async=1:first_pts=0 -ac 1 -f f32le -";
    let decoded = decode(inputs, filter);
    let (mut found, mut quiet) = (vec![], u32::MAX);
    for (at, sample) in decoded.chunks_exact(4).enumerate() {
        let sample = f32::from_le_bytes(sample.try_into().expect("four bytes"));
        if sample.abs() > 0.05 {
            if quiet > 24_000 {
                found.push(at as f64 / 48_000.0);
            }
            quiet = 0;
        } else {
            quiet = quiet.saturating_add(1);
        }
    }
    found
}

/// Milliseconds from each beep to its flash.
fn offsets(inputs: &[&str]) -> Vec<f64> {
    let (flashes, beeps) = (flashes(inputs), beeps(inputs));
    assert_eq!(flashes.len(), 3, "{inputs:?}: {flashes:?}");
    assert_eq!(beeps.len(), 3, "{inputs:?}: {beeps:?}");
    let pairs = flashes.iter().zip(&beeps);
    pairs.map(|(flash, beep)| (flash - beep) * 1000.0).collect()
}

fn expect_in_step(what: &str, file: &Path) {
    let found = offsets(&["-i", text(file)]);
    let is_right = found.iter().all(|offset| offset.abs() <= MOST);
    assert!(is_right, "{what}: {found:?} ms");
}

fn package(input: &Path, out: &Path) -> PathBuf {
    let done = lectern(&["package", text(input), "-o", text(out), "--no-storyboard"]);
    assert_eq!(done.code, 0, "{}: {done:?}", input.display());
    download(out)
}

/// Wraps a file anew, without encoding.
fn wrapped(input: &Path, name: &str, options: &str) -> PathBuf {
    let out = input.with_file_name(name);
    let mut command = ffmpeg("-i");
    command.arg(input).args(["-c", "copy"]);
    let done = run(command.args(options.split_whitespace()).arg(&out));
    assert_eq!(done.code, 0, "{done:?}");
    out
}

#[test]
fn a_flash_and_its_beep_stay_together_however_often_a_lecture_is_packaged() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for rate in [5, 25, 30, 50] {
        let source = flash_and_beep(root.path(), rate);
        expect_in_step(&format!("source, {rate}"), &source);
        let out = |name: &str| root.path().join(format!("{rate}-{name}"));
        let first = package(&source, &out("package"));
        expect_in_step(&format!("package, {rate}"), &first);
        // The package's own playlists, as a recording in parts.
        let playlist = format!("file://{}/master.m3u8", text(&out("package")));
        let again = package(Path::new(&playlist), &out("again"));
        expect_in_step(&format!("package of playlists, {rate}"), &again);
        let platform = Platform::start(&out("again"));
        let third = platform.package("master.m3u8", &out("third"), &[platform.host()]);
        assert_eq!(third.code, 0, "{rate}: {third:?}");
        expect_in_step(&format!("package --hls, {rate}"), &download(&out("third")));
        for (name, options) in [
            (
                "signed.mp4",
                "-movflags +frag_keyframe+delay_moov+negative_cts_offsets",
            ),
            // The lowest offset is not in the first fragment.
            (
                "short.mp4",
                "-frag_duration 500000 -movflags +delay_moov+negative_cts_offsets",
            ),
            (
                "indexed.mp4",
                "-movflags +dash+delay_moov+negative_cts_offsets+global_sidx",
            ),
            ("unsigned.mp4", "-movflags +dash+frag_keyframe+delay_moov"),
            ("plain.mp4", "-movflags +negative_cts_offsets"),
        ] {
            let local = wrapped(&first, &format!("{rate}-{name}"), options);
            let done = package(&local, &out(&format!("{name}.out")));
            expect_in_step(&format!("{name}, {rate}"), &done);
        }
    }
}

#[test]
fn video_without_sound_begins_with_its_first_frame() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let source = flash_and_beep(root.path(), 25);
    let first = package(&source, &root.path().join("out"));
    let options = "-an -movflags +cmaf+frag_keyframe";
    let silent = wrapped(&first, "silent.mp4", options);
    let again = package(&silent, &root.path().join("silent"));
    assert_eq!(flashes(&["-i", text(&again)]), [1.0, 3.0, 5.0]);
}

#[test]
fn the_measure_sees_video_that_is_late() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let source = flash_and_beep(root.path(), 25);
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-itsoffset", "0.08", "-i"])
        .args([&source, Path::new("-i"), &source])
        .args("-map 0:v -map 1:a -c copy".split(' '))
        .arg(root.path().join("late.mp4"))
        .output();
    assert!(output.expect("ffmpeg runs").status.success());
    let late = root.path().join("late.mp4");
    let found = offsets(&["-i", text(&late)]);
    assert!(
        found.iter().all(|offset| (offset - 80.0).abs() < 2.0),
        "{found:?}"
    );
}
