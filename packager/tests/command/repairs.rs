//! Recordings that an encoder would not take as they are: sound and pictures that change within a
//! track, samples that are no numbers, channels without a layout, and odd headers.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{self, download, lectern, package_json, shared};
use serde_json::Value;
use testkit::process::{Run, run, text};
use testkit::recording::{decode, ffmpeg, make};

const SIZE: &str = "320x180";

fn package(input: &Path, out: &Path) -> Run {
    common::package(input, out, &["--force", "--ladder", "180"])
}

/// Packages a recording that must be taken, and returns its facts.
fn packaged(input: &Path, out: &Path) -> Value {
    let done = package(input, out);
    assert_eq!(done.code, 0, "{}: {done:?}", input.display());
    decode(&out.join("master.m3u8"));
    let facts = package_json(out);
    // A person reads each warning once, and of no other end than the last.
    for warning in facts["warnings"].as_array().into_iter().flatten() {
        let message = warning["message"].as_str().expect("a sentence");
        let line = format!("warning: {message}\n");
        assert_eq!(done.stderr.matches(&line).count(), 1, "{line}{done:?}");
    }
    assert!(!done.stderr.contains("goes on from there"), "{done:?}");
    facts
}

fn seconds(facts: &Value, kind: &str) -> f64 {
    let renditions = facts["renditions"].as_array().expect("a list");
    let is_of = |one: &&Value| {
        let folder = one["folder"].as_str().expect("a name");
        folder.starts_with("audio/") == (kind == "audio")
    };
    let found = renditions.iter().find(is_of).expect("a rendition");
    found["duration"].as_f64().expect("seconds")
}

/// Samples of the first audio track at 48 kHz, from 0.
fn samples(file: &Path) -> Vec<f32> {
    let mut command = ffmpeg("-copyts -i");
    let filter = "-map 0:a:0 -af aresample=48000:async=1:first_pts=0 -ac 1 -f f32le -";
    command.arg(file).args(filter.split(' '));
    let output = command.output().expect("ffmpeg runs");
    assert!(output.status.success(), "{output:?}");
    let chunks = output.stdout.chunks_exact(4);
    chunks
        .map(|sample| f32::from_le_bytes(sample.try_into().expect("four bytes")))
        .collect()
}

/// Times at which a sound begins after silence of 0.3 s.
fn clicks(file: &Path) -> Vec<f64> {
    let (mut found, mut quiet) = (vec![], 0_u32);
    for (at, sample) in samples(file).into_iter().enumerate() {
        if sample.abs() > 0.05 {
            if quiet > 14_400 {
                found.push(at as f64 / 48_000.0);
            }
            quiet = 0;
        } else {
            quiet += 1;
        }
    }
    found
}

/// Luma of frames: the average of each.
fn lights(file: &Path) -> Vec<f64> {
    let mut command = ffmpeg("-i");
    let filter = "-map 0:v:0 -vf signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-";
    command
        .arg(file)
        .args(filter.split(' '))
        .args(["-f", "null", "-"]);
    let output = command.output().expect("ffmpeg runs");
    let shown = String::from_utf8(output.stdout).expect("text");
    let values = shown.lines().filter_map(|line| line.split_once("YAVG="));
    values
        .map(|(_, value)| value.trim().parse().expect("a number"))
        .collect()
}

/// The size of the first video stream.
fn size(file: &Path) -> String {
    let mut command = std::process::Command::new("ffprobe");
    let words = "-v error -select_streams v:0 -show_entries stream=width,height -of csv=p=0:s=x";
    let done = run(command.args(words.split(' ')).arg(file));
    done.stdout.trim().to_owned()
}

/// A recording of 3 s with a click at 1 and 2 s, with these options for sound.
fn clicking(folder: &Path, name: &str, video: &str, sound: &str) -> PathBuf {
    let picture = format!("testsrc2=s={SIZE}:r=25:d=3");
    let click = "aevalsrc='0.6*lt(mod(t,1),0.05)*gte(t,0.5)*sin(2*PI*880*t)':s=48000:d=3";
    make(
        folder,
        name,
        &[picture.as_str(), click],
        &format!("{video} {sound}"),
    )
}

/// Files one after the other, which transport streams allow.
fn joined(parts: &[PathBuf], out: &Path) -> PathBuf {
    let bytes: Vec<u8> = parts
        .iter()
        .flat_map(|part| fs::read(part).expect("a file"))
        .collect();
    fs::write(out, bytes).expect("written");
    out.to_owned()
}

#[test]
fn sound_that_changes_its_channels_or_its_rate_stays_with_the_video() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let video = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25";
    for (name, sounds) in [
        (
            "layout",
            ["-c:a ac3 -ac 6", "-c:a ac3 -ac 2", "-c:a ac3 -ac 6"],
        ),
        (
            "rate",
            [
                "-c:a mp2 -ar 44100",
                "-c:a mp2 -ar 48000",
                "-c:a mp2 -ar 32000",
            ],
        ),
        (
            "mono",
            ["-c:a mp2 -ac 1", "-c:a mp2 -ac 2", "-c:a mp2 -ac 2"],
        ),
    ] {
        let parts: Vec<PathBuf> = (sounds.iter().enumerate())
            .map(|(at, sound)| {
                let part = format!("{name}-{at}.ts");
                let sound = format!("{sound} -output_ts_offset {}", at * 3);
                clicking(root.path(), &part, video, &sound)
            })
            .collect();
        let whole = joined(&parts, &root.path().join(format!("{name}.ts")));
        let mut files = vec![whole.clone()];
        if name == "mono" {
            // The same packets in other containers.
            for kind in ["mkv", "mp4"] {
                let file = whole.with_extension(kind);
                let mut command = ffmpeg("-i");
                let copy = ["-map", "0", "-c", "copy"];
                let done = run(command.arg(&whole).args(copy).arg(&file));
                assert_eq!(done.code, 0, "{done:?}");
                files.push(file);
            }
        }
        for file in files {
            let out = root.path().join("out");
            let facts = packaged(&file, &out);
            let (video, audio) = (seconds(&facts, "video"), seconds(&facts, "audio"));
            let shown = format!("{}: {video} s, audio {audio} s", file.display());
            assert!((video - 9.0).abs() < 0.2, "{shown}");
            assert!((audio - video).abs() < 0.2, "{shown}");
            let found = clicks(&download(&out));
            let expected = [1.0, 2.0, 4.0, 5.0, 7.0, 8.0];
            let is_near = found.len() == expected.len()
                && (found.iter().zip(expected)).all(|(at, right)| (at - right).abs() <= 0.02);
            // A click at the seam of two parts is heard, too.
            let inner: Vec<f64> = (found.iter().copied())
                .filter(|at| expected.iter().any(|right| (at - right).abs() <= 0.02))
                .collect();
            assert!(
                is_near || inner.len() == expected.len(),
                "{shown}: {found:?}"
            );
        }
    }
}

#[test]
fn the_shared_recording_whose_sound_changes_keeps_its_clicks() {
    let Some(file) = shared("02-sound-5.1-then-2.0.ts") else {
        return;
    };
    let root = tempfile::tempdir().expect("a temporary folder");
    let out = root.path().join("out");
    let facts = packaged(&file, &out);
    let (video, audio) = (seconds(&facts, "video"), seconds(&facts, "audio"));
    assert!((audio - video).abs() < 0.1, "{video} {audio}");
    let found = clicks(&download(&out));
    // The second half begins 0.04 s early, for video and audio alike.
    for right in [1.0, 2.0, 3.0, 4.0, 4.96, 5.96, 6.96, 7.96, 8.96] {
        let is_heard = found.iter().any(|at| (at - right).abs() <= 0.02);
        assert!(is_heard, "{right}: {found:?}");
    }
}

#[test]
fn a_picture_that_changes_its_size_is_packaged_at_one_size_with_all_its_frames() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let part = |name: &str, size: &str, options: &str| {
        let picture = format!("color=white:s={size}:r=25:d=2");
        let options = format!("-preset ultrafast -pix_fmt yuv420p -c:v libx264 {options}");
        make(root.path(), name, &[&picture], &options)
    };
    let mut files = vec![];
    // White fills every frame if oblong pixels count.
    let oblong = [
        part("square.ts", "320x180", ""),
        part("oblong.ts", "160x180", "-vf setsar=2 -output_ts_offset 2"),
    ];
    files.push((joined(&oblong, &root.path().join("pixels.ts")), 4.0));
    // Another size, another shape, and a phone that is turned.
    for (name, sizes) in [
        ("size", ["320x180", "640x360", "160x90"]),
        ("shape", ["320x180", "240x240", "180x320"]),
    ] {
        let parts: Vec<PathBuf> = (sizes.iter().enumerate())
            .map(|(at, size)| {
                let offset = format!("-output_ts_offset {}", at * 2);
                part(&format!("{name}-{at}.ts"), size, &offset)
            })
            .collect();
        files.push((joined(&parts, &root.path().join(format!("{name}.ts"))), 6.0));
    }
    if let Some(file) = shared("10-mediarecorder-resized.webm") {
        files.push((file, 8.94));
    }
    for (file, expected) in files {
        let out = root.path().join("out");
        let facts = packaged(&file, &out);
        let codes = facts["warnings"].as_array().expect("a warning").iter();
        let codes: Vec<&Value> = codes.map(|warning| &warning["code"]).collect();
        assert!(codes.contains(&&"resized-video".into()), "{codes:?}");
        let video = seconds(&facts, "video");
        assert!(
            (video - expected).abs() < 0.1,
            "{}: {video}",
            file.display()
        );
        let lecture = download(&out);
        assert_eq!(size(&lecture), SIZE, "{}", file.display());
        let lights = lights(&lecture);
        let frames = lights.len() as f64;
        let rate = frames / video;
        assert!(rate > 24.0, "{}: {frames} frames", file.display());
        // None is black: a part of each is the picture.
        let darkest = if file.ends_with("pixels.ts") {
            225.0
        } else {
            25.0
        };
        let is_shown = lights.iter().all(|light| *light > darkest);
        // The shared recording has dark colours.
        let is_dark = file.extension().is_some_and(|kind| kind == "webm");
        assert!(is_shown || is_dark, "{}: {lights:?}", file.display());
    }
}

#[test]
fn hdr_that_does_not_name_its_colours_is_taken_for_bt_2020() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let source = ["testsrc2=s=320x180:r=25:d=1"];
    let mut files: Vec<PathBuf> = [
        ("pq.mp4", "smpte2084", "unknown", "unknown", ""),
        ("hlg.mp4", "arib-std-b67", "unknown", "unknown", ""),
        ("primaries.mp4", "smpte2084", "bt2020", "unknown", ""),
        ("matrix.mp4", "smpte2084", "unknown", "bt2020nc", ""),
        (
            "reserved.mp4",
            "smpte2084",
            "unknown",
            "unknown",
            "-bsf:v h264_metadata=colour_primaries=3:matrix_coefficients=3",
        ),
        (
            "full.mp4",
            "smpte2084",
            "unknown",
            "unknown",
            "-color_range pc",
        ),
    ]
    .map(|(name, transfer, primaries, matrix, more)| {
        let colours = format!(
            "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le -color_trc {transfer} \
             -color_primaries {primaries} -colorspace {matrix} {more}"
        );
        make(root.path(), name, &source, &colours)
    })
    .into();
    files.extend(shared("12-pq-without-primaries.mp4"));
    for file in files {
        let out = root.path().join("out");
        packaged(&file, &out);
        let lights = lights(&download(&out));
        assert!(
            lights.iter().all(|light| *light > 20.0),
            "{}: {lights:?}",
            file.display()
        );
    }
}

#[test]
fn any_number_of_channels_is_mixed_down_to_two() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let mut files = vec![];
    for count in [3, 5, 7, 9, 12, 16] {
        // One channel has a sound: the last, or the first where the last is for low frequencies.
        let file = root.path().join(format!("{count}.wav"));
        let sounding = if count > 8 { count - 1 } else { 0 };
        let frames = (0..48_000).flat_map(|at| {
            let tone = (f64::from(at) * 440.0 * std::f64::consts::TAU / 48_000.0).sin();
            let sample = ((tone * 8_000.0) as i16).to_le_bytes();
            (0..count).flat_map(move |channel| if channel == sounding { sample } else { [0; 2] })
        });
        fs::write(&file, wav(1, count, 16, &frames.collect::<Vec<u8>>())).expect("written");
        files.push(file);
    }
    files.extend(shared("15-ten-channels.wav"));
    for file in files {
        let out = root.path().join("out");
        packaged(&file, &out);
        let loudest = samples(&download(&out))
            .into_iter()
            .fold(0.0_f32, |most, sample| most.max(sample.abs()));
        assert!(loudest > 0.02, "{}: {loudest}", file.display());
    }
}

/// A WAV file of these samples at 48 kHz. Format 1 is integers, and 3 floats.
fn wav(format: u16, channels: usize, bits: u16, data: &[u8]) -> Vec<u8> {
    let channels = u16::try_from(channels).expect("few channels");
    let frame = channels * bits / 8;
    let mut bytes = b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0".to_vec();
    bytes.extend(format.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(48_000_u32.to_le_bytes());
    bytes.extend((48_000 * u32::from(frame)).to_le_bytes());
    bytes.extend(frame.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(u32::try_from(data.len()).expect("small").to_le_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn samples_that_are_no_sound_are_silenced_and_the_rest_is_kept() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let tone = |at: usize| (at as f64 * 440.0 * std::f64::consts::TAU / 48_000.0).sin() * 0.3;
    let with = |bad: f64| (0..96_000).map(move |at| if at == 30_000 { bad } else { tone(at) });
    let mut files = vec![];
    for (name, bad) in [("nan", f64::NAN), ("inf", f64::INFINITY), ("huge", 1e30)] {
        let floats: Vec<u8> = with(bad)
            .flat_map(|one| (one as f32).to_le_bytes())
            .collect();
        let file = root.path().join(format!("{name}.wav"));
        fs::write(&file, wav(3, 1, 32, &floats)).expect("written");
        let mkv = file.with_extension("mkv");
        let mut command = ffmpeg("-i");
        let done = run(command.arg(&file).args(["-c", "copy"]).arg(&mkv));
        assert_eq!(done.code, 0, "{done:?}");
        let doubles: Vec<u8> = with(bad).flat_map(f64::to_le_bytes).collect();
        let double = root.path().join(format!("{name}-64.wav"));
        fs::write(&double, wav(3, 1, 64, &doubles)).expect("written");
        files.extend([file, mkv, double]);
    }
    files.extend(shared("21-inf-and-nan.wav"));
    for file in files {
        let out = root.path().join("out");
        let done = package(&file, &out);
        assert_eq!(done.code, 0, "{}: {done:?}", file.display());
        assert!(done.stderr.contains("they are silenced"), "{done:?}");
        let warnings = &package_json(&out)["warnings"];
        assert_eq!(warnings[0]["code"], "silenced-samples", "{warnings}");
        let samples = samples(&download(&out));
        let loud = samples.iter().filter(|sample| sample.abs() > 0.05).count();
        assert!(loud * 4 > samples.len(), "{}: {loud}", file.display());
    }
    let fine: Vec<u8> = with(0.0)
        .flat_map(|one| (one as f32).to_le_bytes())
        .collect();
    let file = root.path().join("fine.wav");
    fs::write(&file, wav(3, 1, 32, &fine)).expect("written");
    let done = package(&file, &root.path().join("fine"));
    assert!(
        done.code == 0 && !done.stderr.contains("silenced"),
        "{done:?}"
    );
}

/// Replaces the display matrix of an MP4's video by a turn of these degrees.
fn turn(file: &Path, degrees: f64) {
    let mut bytes = fs::read(file).expect("a file");
    let upright = [0x1_0000_u32, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000].map(u32::to_be_bytes);
    let upright = upright.as_flattened();
    let fixed = |value: f64| ((value * 65_536.0).round() as i32).to_be_bytes();
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let zero = [0; 4];
    let turned = [
        fixed(cosine),
        fixed(sine),
        zero,
        fixed(-sine),
        fixed(cosine),
        zero,
        zero,
        zero,
        0x4000_0000_u32.to_be_bytes(),
    ];
    // The first matrix is that of the movie, the second that of its track.
    let found: Vec<usize> = (0..bytes.len() - upright.len())
        .filter(|at| bytes[*at..].starts_with(upright))
        .collect();
    let at = found[1];
    bytes[at..at + upright.len()].copy_from_slice(turned.as_flattened());
    fs::write(file, bytes).expect("written");
}

#[test]
fn a_display_matrix_near_a_quarter_turn_turns_and_squashes_nothing() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let source = ["testsrc2=s=320x180:r=25:d=1"];
    let options = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    for (degrees, expected) in [
        (89.7, "180x320"),
        (-90.3, "180x320"),
        (179.6, "320x180"),
        (88.0, "180x320"),
        (50.0, "180x320"),
        (20.0, "320x180"),
        (0.4, "320x180"),
    ] {
        let file = make(root.path(), "turned.mp4", &source, options);
        turn(&file, degrees);
        let out = root.path().join("out");
        packaged(&file, &out);
        let lecture = download(&out);
        assert_eq!(size(&lecture), expected, "{degrees}");
        // A frame that is turned by less has black corners.
        let corner = ["crop=8:8:0:0", "crop=8:8:iw-8:ih-8"].map(|crop| {
            let mut command = ffmpeg("-i");
            command.arg(&lecture).args(["-frames:v", "1", "-vf"]);
            command.args([&format!("{crop},format=rgb24"), "-f", "rawvideo", "-"]);
            let pixels = command.output().expect("ffmpeg runs").stdout;
            pixels.iter().map(|value| u32::from(*value)).sum::<u32>() / 192
        });
        assert!(
            corner.iter().all(|light| *light > 20),
            "{degrees}: {corner:?}"
        );
    }
    if let Some(file) = shared("20-turned-89.7.mp4") {
        let out = root.path().join("out");
        packaged(&file, &out);
        assert_eq!(size(&download(&out)), "180x320");
    }
}

#[test]
fn pixels_of_an_impossible_shape_are_square() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (shape, expected) in [("1/255", SIZE), ("255/1", SIZE), ("1/2", "160x180")] {
        let options = format!("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -vf setsar={shape}");
        let file = make(
            root.path(),
            "oblong.mp4",
            &["testsrc2=s=320x180:r=25:d=1"],
            &options,
        );
        let out = root.path().join("out");
        packaged(&file, &out);
        assert_eq!(size(&download(&out)), expected, "{shape}");
    }
}

/// Spoils the indexes of a recording in parts as a browser's muxer does: a clock of their own, and
/// the same number in every fragment.
fn spoil_indexes(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|kind| kind != "m4s") {
            continue;
        }
        let mut bytes = fs::read(&path).expect("a segment");
        let at = |kind: &[u8; 4]| bytes.windows(4).position(|four| four == kind);
        let (index, number) = (
            at(b"sidx").expect("an index"),
            at(b"mfhd").expect("a number"),
        );
        // Version, flags and an id precede the timescale; version and flags the number.
        bytes[index + 12..index + 16].copy_from_slice(&57_600_000_u32.to_be_bytes());
        bytes[number + 8..number + 12].copy_from_slice(&1_u32.to_be_bytes());
        // The duration of the first part, in a much finer clock.
        let first = index + if bytes[index + 4] == 0 { 28 } else { 36 };
        bytes[first + 4..first + 8].copy_from_slice(&230_400_000_u32.to_be_bytes());
        fs::write(&path, bytes).expect("written");
    }
}

#[test]
fn a_recording_in_parts_has_its_duration_whatever_the_indexes_of_its_parts_say() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path().join("recording");
    fs::create_dir(&folder).expect("a folder");
    let options = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -c:a aac -f hls \
                   -hls_time 2 -hls_playlist_type vod -hls_segment_type fmp4 \
                   -hls_segment_options movflags=+cmaf";
    let picture = "testsrc2=s=320x180:r=25:d=9";
    make(&folder, "live.m3u8", &[picture, "sine=d=9"], options);
    spoil_indexes(&folder);
    let mut playlists = vec![(folder.join("live.m3u8"), 9.0)];
    if let Some(shared) = shared("22-browser-recording/playlist-1.m3u8") {
        // Its URIs have queries, which an edge added. Files have none.
        let copy = root.path().join("shared");
        fs::create_dir(&copy).expect("a folder");
        for entry in fs::read_dir(shared.parent().expect("a folder")).expect("a folder") {
            let entry = entry.expect("an entry");
            fs::copy(entry.path(), copy.join(entry.file_name())).expect("copied");
        }
        playlists.push((copy.join("playlist-1.m3u8"), 12.07));
    }
    for (playlist, expected) in playlists {
        let url = format!("file://{}", text(&playlist));
        let out = root.path().join("out");
        let facts = packaged(Path::new(&url), &out);
        let found = facts["duration"].as_f64().expect("seconds");
        assert!((found - expected).abs() < 0.1, "{url}: {found}");
        // `ship` reports the same.
        let target = format!("file://{}", text(&root.path().join("shipped")));
        let words = [
            "ship",
            &url,
            &target,
            "--preset",
            "ultrafast",
            "--ladder",
            "180",
        ];
        let shipped = lectern(&words);
        assert_eq!(shipped.code, 0, "{shipped:?}");
        fs::remove_dir_all(root.path().join("shipped")).expect("removed");
        assert!(!shipped.stderr.contains("23183"), "{shipped:?}");
    }
}
