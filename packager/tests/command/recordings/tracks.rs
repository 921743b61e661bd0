//! Tracks that are encrypted, undecodable, still or empty, and audio of no language.

use testkit::recording::make;

use super::{H264, Packaged, Refused, TONE, VIDEO};
use super::{changed, judge, judge_shared, package, replace};
use crate::common::package_json;

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
fn raw_dv_is_packaged() {
    judge_shared(&[("18-raw-dv.dv", Packaged(0.28, &[]))]);
    let root = tempfile::tempdir().expect("a temporary folder");
    let inputs = ["testsrc2=s=720x576:r=25:d=1", "anullsrc=r=48000:cl=stereo"];
    let options = "-t 1 -c:v dvvideo -pix_fmt yuv420p -c:a pcm_s16le";
    let dv = make(root.path(), "a.dv", &inputs, options);
    judge(&dv, &Packaged(1.0, &[]));
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
