//! Answers for stored metadata.

use super::*;
use crate::credential::binding::Binding;
use crate::credential::keyring::Keyring;
use crate::credential::keyring::testing::ring;
use crate::credential::pass::verify;
use crate::http::precondition::EntityTags;
use crate::playlist::Entitlements;

fn read<'keys>(keys: &'keys Keyring, key: &str, treatment: Treatment) -> Read<'keys> {
    let key = ObjectKey::new(key).expect("an object key");
    Read {
        grant: Grant {
            signing_key: keys.minting(),
            expires: 1_800_000_000,
            root: key.directory(),
            depth: 1,
            binding: Binding::default(),
            ticket: None,
            limits: Limits::None,
        },
        key,
        is_head: false,
        treatment,
        has_pass: treatment == Treatment::AsStored,
        is_for_admin: false,
        hides_link: false,
        attachment: None,
        name: Naming::Exact,
        conditions: Conditions::default(),
        range: None,
        accepts_gzip: false,
        sub: None,
        viewer: ViewerChecks::default(),
        seconds_left: 60,
        now: 784_111_800,
        steering: None,
    }
}

fn stored(content_type: Option<&str>, size: u64) -> ObjectMetadata {
    ObjectMetadata {
        etag: "e".to_owned(),
        size,
        uploaded: 784_111_777_999,
        content_type: content_type.map(str::to_owned),
    }
}

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn a_silent_recorders_playlist_gets_an_end_and_another_entity_tag() {
    let keys = ring(&["k"]);
    let media = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.m4s\n";
    let multivariant = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb.m3u8\n";
    for (key, treatment, age, bytes, expected) in [
        ("u/p.m3u8", Treatment::Rewrite, 91, &media[..], true),
        ("u/p.m3u8", Treatment::Rewrite, 90, media, false),
        ("u/p.m3u8", Treatment::Rewrite, 0, media, false),
        ("u/v/1/p.m3u8", Treatment::Rewrite, 91, media, false),
        ("u/p.m3u8", Treatment::AsStored, 91, media, false),
        ("u/p.m3u8", Treatment::Steering, 91, media, false),
        ("u/p.m3u8", Treatment::Rewrite, 91, multivariant, false),
    ] {
        let mut read = read(&keys, key, treatment);
        let stored = stored(None, bytes.len() as u64);
        read.now = stored.uploaded / 1000 + age;
        let is_old = read.may_be_silent(&stored);
        let (found, form) = read.end(bytes.to_vec(), &stored);
        let has_end = found.ends_with(b"#EXT-X-ENDLIST\n");
        assert_eq!(is_old && has_end, expected, "{key} {age}");
        assert_eq!(form.size, found.len() as u64);
        assert_ne!(form.etag, stored.etag);
        assert_eq!(form.uploaded > stored.uploaded, has_end);
        assert!(!is_old || form.uploaded / 1000 <= read.now, "{key} {age}");
    }
}

#[test]
fn a_client_that_has_the_form_of_an_old_playlist_needs_no_bytes() {
    let keys = ring(&["k"]);
    let media = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.m4s\n";
    let multivariant = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb.m3u8\n";
    for (bytes, accepts_gzip) in [(&media[..], false), (media, true), (multivariant, false)] {
        let mut read = read(&keys, "u/p.m3u8", Treatment::Rewrite);
        read.accepts_gzip = accepts_gzip;
        let stored = stored(None, bytes.len() as u64);
        read.now = stored.uploaded / 1000 + 91;
        assert_eq!(read.known_form(&stored), None);
        let tag = |read: &Read<'_>, stored: &ObjectMetadata| match read.answer(stored) {
            ReadAnswer::Rewritten(headers) => header(&headers, "ETag").expect("a tag").to_owned(),
            other => panic!("{other:?}"),
        };
        let (_, form) = read.end(bytes.to_vec(), &stored);
        let (old, new) = (tag(&read, &stored), tag(&read, &form));
        for (sent, expected) in [
            (&*new, Some(&form.etag)),
            // The form before the recorder died, which may lack the end.
            (&*old, None),
            ("\"e-ended\"", None),
            ("*", None),
        ] {
            read.conditions.if_none_match = EntityTags::parse(sent);
            let known = read.known_form(&stored);
            assert_eq!(known.as_ref().map(|form| &form.etag), expected, "{sent}");
        }
        // A date from before the end does not validate it.
        read.conditions.if_none_match = None;
        read.conditions.if_modified_since = Some(stored.uploaded / 1000);
        let is_same = matches!(read.answer(&form), ReadAnswer::NotModified(_));
        assert_eq!(is_same, bytes != media);
    }
}

#[test]
fn an_upload_is_never_answered_as_a_page_or_a_script() {
    let keys = ring(&["k"]);
    for (key, content_type, expected) in [
        ("u/a", "text/html", "application/octet-stream"),
        (
            "u/a.html",
            "text/html; charset=utf-8",
            "application/octet-stream",
        ),
        ("u/a.mp4", "text/html", "video/mp4"),
        ("u/a.svg", "image/svg+xml", "application/octet-stream"),
        ("u/a.jpg", "image/svg+xml", "image/jpeg"),
        (
            "u/a.xhtml",
            "application/xhtml+xml",
            "application/octet-stream",
        ),
        ("u/a.xml", "text/xml", "application/octet-stream"),
        ("u/a.js", "text/javascript", "application/octet-stream"),
        ("u/a.wasm", "application/wasm", "application/octet-stream"),
        ("u/a.pdf", "application/pdf", "application/octet-stream"),
        ("u/a.mp4", "video/mp4, text/html", "video/mp4"),
        ("u/a.mp4", "video/x-test", "video/x-test"),
        ("u/a.bin", "video/mp4", "video/mp4"),
    ] {
        for is_for_admin in [false, true] {
            let mut read = read(&keys, key, Treatment::AsStored);
            read.is_for_admin = is_for_admin;
            let ReadAnswer::Whole(headers) = read.answer(&stored(Some(content_type), 9)) else {
                panic!("{key} is not whole");
            };
            assert_eq!(header(&headers, "Content-Type"), Some(expected), "{key}");
        }
    }
}

#[test]
fn a_rewritten_object_does_not_keep_the_uploaders_charset() {
    let keys = ring(&["k"]);
    let hls = "application/vnd.apple.mpegurl";
    for (key, treatment, limits, expected) in [
        ("c/p.m3u8", Treatment::Rewrite, Limits::None, hls),
        ("c/p.bin", Treatment::ByContentType, Limits::None, hls),
        (
            "c/storyboard.vtt",
            Treatment::Rewrite,
            Limits::Storyboard,
            "text/vtt; charset=utf-8",
        ),
        (
            "c/m.mpd",
            Treatment::Rewrite,
            Limits::DirectoryPass,
            "application/dash+xml",
        ),
        (
            "c/l.json",
            Treatment::AssetList,
            Limits::None,
            "application/json",
        ),
    ] {
        let mut read = read(&keys, key, treatment);
        read.grant.limits = limits;
        let stored = stored(Some("audio/mpegurl; charset=iso-2022-jp"), 9);
        let ReadAnswer::Rewritten(headers) = read.answer(&stored) else {
            panic!("{key} is not rewritten");
        };
        assert_eq!(header(&headers, "Content-Type"), Some(expected), "{key}");
    }
}

#[test]
fn an_immutable_object_is_cached_until_the_credential_expires() {
    let keys = ring(&["k"]);
    for (key, treatment, expected) in [
        (
            "c/v/1/480p/seg.m4s",
            Treatment::AsStored,
            "private, max-age=60, immutable",
        ),
        (
            "c/seg.m4s",
            Treatment::AsStored,
            "private, max-age=60, immutable",
        ),
        (
            "c/v/1/poster.jpg",
            Treatment::ByContentType,
            "private, no-cache",
        ),
        (
            "c/poster.jpg",
            Treatment::ByContentType,
            "private, no-cache",
        ),
        (
            "c/v/poster.jpg",
            Treatment::ByContentType,
            "private, no-cache",
        ),
    ] {
        let ReadAnswer::Whole(headers) = read(&keys, key, treatment).answer(&stored(None, 5))
        else {
            panic!("{key}: not whole");
        };
        assert_eq!(header(&headers, "Cache-Control"), Some(expected), "{key}");
        assert_eq!(header(&headers, "Content-Length"), Some("5"));
        assert_eq!(
            header(&headers, "Last-Modified"),
            Some("Sun, 06 Nov 1994 08:49:37 GMT")
        );
    }
}

#[test]
fn a_playlist_is_rewritten_by_its_pass_its_name_or_its_type() {
    let keys = ring(&["k"]);
    let hls = Some("application/x-mpegURL");
    for (treatment, content_type, expected) in [
        (Treatment::Rewrite, None, true),
        (Treatment::ByContentType, hls, true),
        (Treatment::ByContentType, Some("video/mp4"), false),
        (Treatment::AsStored, hls, false),
    ] {
        let answer = read(&keys, "c/p", treatment).answer(&stored(content_type, 5));
        let found = match answer {
            ReadAnswer::Rewritten(headers) => {
                assert_eq!(header(&headers, "Cache-Control"), Some("no-store"));
                true
            }
            _ => false,
        };
        assert_eq!(found, expected, "{treatment:?} {content_type:?}");
    }
    let huge = read(&keys, "c/p", Treatment::Rewrite).answer(&stored(None, (8 << 20) + 1));
    assert_eq!(huge, ReadAnswer::Refuse(Problem::PlaylistTooLarge));
}

#[test]
fn a_playlists_validator_changes_with_its_contents() {
    let keys = ring(&["k"]);
    let playlist = read(&keys, "c/p.m3u8", Treatment::Rewrite);
    let tag = |read: &Read<'_>, etag: &str| {
        let stored = ObjectMetadata {
            etag: etag.to_owned(),
            ..stored(None, 5)
        };
        match read.answer(&stored) {
            ReadAnswer::Rewritten(headers) => header(&headers, "ETag").expect("a tag").to_owned(),
            other => panic!("{other:?}"),
        }
    };
    let first = tag(&playlist, "e");
    let mut tags = std::collections::HashSet::from([first.clone()]);
    assert_eq!(first, tag(&playlist, "e"));
    assert_ne!(first, tag(&playlist, "f"));
    let mut later = read(&keys, "c/p.m3u8", Treatment::Rewrite);
    later.grant.expires += 900;
    assert_ne!(first, tag(&later, "e"));
    later.grant.expires -= 900;
    for address in ["192.0.2.1", "192.0.3.1", "2001:db8::1"] {
        later.grant.binding.network = address
            .parse()
            .ok()
            .map(crate::credential::binding::Network::of);
        assert!(tags.insert(tag(&later, "e")), "{address}");
    }
    later.grant.binding = Binding::default();
    let preview = |preview| Limits::Media { preview };
    let of = |max_height, langs: Option<&str>, preview| {
        let langs = langs.map(|lang| vec![lang.to_owned()]);
        Limits::RestrictedLink(Entitlements {
            max_height,
            langs,
            preview,
        })
    };
    for limits in [
        preview(None),
        preview(Some((0, 60))),
        preview(Some((1, 60))),
        preview(Some((0, 61))),
        Limits::Storyboard,
        of(Some(480), None, None),
        of(Some(720), None, None),
        of(None, Some("en"), None),
        of(None, Some("de"), None),
        of(None, None, Some((0, 60))),
    ] {
        later.grant.limits = limits.clone();
        assert!(tags.insert(tag(&later, "e")), "{limits:?}");
    }
    later.grant.limits = Limits::None;
    later.conditions.if_none_match = EntityTags::parse(&first);
    assert!(matches!(
        later.answer(&stored(None, 5)),
        ReadAnswer::NotModified(_)
    ));
}

#[test]
fn a_range_is_a_part_or_a_refusal_that_says_how_long_the_object_is() {
    let keys = ring(&["k"]);
    let with = |range: &str, size: u64| {
        let mut read = read(&keys, "c/s.mp4", Treatment::AsStored);
        read.range = ByteRange::parse(range);
        read.answer(&stored(None, size))
    };
    let ReadAnswer::Part(range, headers) = with("bytes=-4", 10) else {
        panic!("not a part");
    };
    assert_eq!(range.size(), 4);
    assert_eq!(header(&headers, "Content-Range"), Some("bytes 6-9/10"));
    assert_eq!(header(&headers, "Content-Length"), Some("4"));
    assert_eq!(
        with("bytes=10-", 10),
        ReadAnswer::Refuse(Problem::RangeNotSatisfiable { length: 10 })
    );
    assert!(matches!(with("bytes=1-2,4-5", 10), ReadAnswer::Whole(_)));
    assert!(matches!(with("bytes=-1", 0), ReadAnswer::Whole(_)));
    for range in ["bytes=-0", "bytes=0-"] {
        let refused = ReadAnswer::Refuse(Problem::RangeNotSatisfiable { length: 0 });
        assert_eq!(with(range, 0), refused, "{range}");
    }
}

#[test]
fn a_link_to_what_may_be_a_manifest_is_hidden_from_scripts() {
    let keys = ring(&["k"]);
    let (mp4, hls) = (Some("video/mp4"), Some("application/x-mpegURL"));
    for (key, treatment, content_type, hides_link, expected) in [
        ("c/x.mp4", Treatment::AsStored, mp4, true, "307"),
        ("c/x.mp4", Treatment::AsStored, mp4, false, "200"),
        ("c/x.mp4", Treatment::AsStored, hls, true, "403"),
        ("c/x.mp4", Treatment::AsStored, hls, false, "403"),
        ("c/x", Treatment::ByContentType, mp4, true, "307"),
        ("c/x", Treatment::ByContentType, None, true, "307"),
        ("c/x", Treatment::ByContentType, mp4, false, "200"),
        ("c/x", Treatment::ByContentType, hls, true, "rewritten"),
        ("c/x.m3u8", Treatment::Rewrite, mp4, false, "rewritten"),
    ] {
        let mut read = read(&keys, key, treatment);
        (read.has_pass, read.hides_link) = (false, hides_link);
        let found = match read.answer(&stored(content_type, 5)) {
            ReadAnswer::Redirect(location) => {
                let (location, _) = location.split_once("&v=").expect("a version");
                let pass = location
                    .strip_prefix(&format!("/{key}?p="))
                    .expect("a pass");
                assert!(
                    verify(pass, &read.key, Binding::default(), &keys, 0)
                        .is_ok_and(|pass| pass.kind == PassKind::Object),
                    "{key}: {location}"
                );
                "307"
            }
            ReadAnswer::Refuse(Problem::UnsafePlaylist) => "403",
            ReadAnswer::Whole(_) => "200",
            ReadAnswer::Rewritten(_) => "rewritten",
            answer => panic!("{key}: {answer:?}"),
        };
        assert_eq!(found, expected, "{key} {content_type:?} {hides_link}");
    }
    // An administrator gets the stored bytes, and a pass opens an object that the edge listed.
    let mut as_stored = read(&keys, "c/x.mp4", Treatment::AsStored);
    assert!(matches!(
        as_stored.answer(&stored(hls, 5)),
        ReadAnswer::Whole(_)
    ));
    (as_stored.has_pass, as_stored.is_for_admin) = (false, true);
    assert!(matches!(
        as_stored.answer(&stored(hls, 5)),
        ReadAnswer::Whole(_)
    ));
}

#[test]
fn a_restricted_link_opens_playlists_alone() {
    let keys = ring(&["k"]);
    let mut restricted = read(&keys, "c/v/1/lecture.mp4", Treatment::ByContentType);
    restricted.grant.limits = Limits::RestrictedLink(Entitlements::default());
    let mp4 = stored(Some("video/mp4"), 5);
    assert_eq!(
        restricted.answer(&mp4),
        ReadAnswer::Refuse(Problem::Forbidden)
    );
    let hls = stored(Some("audio/mpegurl"), 5);
    assert!(matches!(restricted.answer(&hls), ReadAnswer::Rewritten(_)));
    assert!(!restricted.is_refused_by_name());
    restricted.treatment = Treatment::AsStored;
    assert!(restricted.is_refused_by_name());
    assert_eq!(
        restricted.answer(&hls),
        ReadAnswer::Refuse(Problem::Forbidden)
    );
}

#[test]
fn a_download_is_saved_under_its_name() {
    let keys = ring(&["k"]);
    let mut download = read(&keys, "c/l'été 1.mp4", Treatment::ByContentType);
    download.attachment = Some("l'été 1.mp4".to_owned());
    let ReadAnswer::Whole(headers) = download.answer(&stored(None, 5)) else {
        panic!("not whole");
    };
    assert_eq!(
        header(&headers, "Content-Disposition"),
        Some("attachment; filename*=UTF-8''l%27%C3%A9t%C3%A9%201.mp4")
    );
}

#[test]
fn a_resolved_stable_name_has_no_date_and_its_redirect_the_file_name() {
    let keys = ring(&["k"]);
    let mut poster = read(&keys, "c/v/1/poster.jpg", Treatment::AsStored);
    poster.has_pass = false;
    poster.conditions.if_modified_since = Some(1_800_000_000);
    let found = poster.answer(&stored(None, 5));
    assert!(matches!(found, ReadAnswer::NotModified(_)));
    poster.name = Naming::Resolved;
    let ReadAnswer::Whole(headers) = poster.answer(&stored(None, 5)) else {
        panic!("not whole");
    };
    assert_eq!(header(&headers, "Last-Modified"), None);
    assert_eq!(header(&headers, "ETag"), Some("\"e\""));
    poster.hides_link = true;
    for (name, expected) in [
        (None, "&v=ZQ"),
        (
            Some("Tag 1, é&x=y.jpg"),
            "&v=ZQ&download=Tag%201%2C%20%C3%A9%26x%3Dy.jpg",
        ),
    ] {
        poster.attachment = name.map(str::to_owned);
        let ReadAnswer::Redirect(location) = poster.answer(&stored(None, 5)) else {
            panic!("no redirect");
        };
        assert!(location.starts_with("/c/v/1/poster.jpg?p="), "{location}");
        assert!(location.ends_with(expected), "{location}");
    }
}

#[test]
fn text_is_gzipped_for_clients_that_accept_it_and_media_never_is() {
    let keys = ring(&["k"]);
    for (key, treatment, gzip, range, expected) in [
        ("c/p.m3u8", Treatment::Rewrite, true, None, true),
        (
            "c/p.m3u8",
            Treatment::Rewrite,
            true,
            Some("bytes=0-1"),
            true,
        ),
        ("c/p.m3u8", Treatment::Rewrite, false, None, false),
        ("c/v/1/s.vtt", Treatment::AsStored, true, None, true),
        ("c/v/1/storyboard.vtt", Treatment::Rewrite, true, None, true),
        (
            "c/v/1/s.vtt",
            Treatment::AsStored,
            true,
            Some("bytes=0-1"),
            false,
        ),
        ("c/v/1/s.mpd", Treatment::AsStored, true, None, true),
        ("c/v/1/s.m4s", Treatment::AsStored, true, None, false),
        ("c/v/1/s.jpg", Treatment::ByContentType, true, None, false),
    ] {
        let mut read = read(&keys, key, treatment);
        read.accepts_gzip = gzip;
        read.range = range.and_then(ByteRange::parse);
        let (ReadAnswer::Whole(headers)
        | ReadAnswer::Part(_, headers)
        | ReadAnswer::Rewritten(headers)) = read.answer(&stored(None, 5))
        else {
            panic!("{key}: refused");
        };
        let case = format!("{key} {gzip} {range:?}");
        let encoding = header(&headers, "Content-Encoding");
        assert_eq!(encoding == Some("gzip"), expected, "{case}");
        let etag = header(&headers, "ETag").expect("a tag");
        assert_eq!(etag.ends_with("-gzip\""), expected, "{case}");
        if expected {
            assert_eq!(header(&headers, "Content-Length"), None, "{case}");
            assert_eq!(header(&headers, "Vary"), Some("Accept-Encoding"), "{case}");
        }
        read.conditions.if_none_match = EntityTags::parse(etag);
        let again = read.answer(&stored(None, 5));
        assert!(matches!(again, ReadAnswer::NotModified(_)), "{case}");
    }
}
