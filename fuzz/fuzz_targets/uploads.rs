//! Uploads. The first byte selects: a name and the first bytes of a file, a playlist that may get an
//! end, a list of parts, or the address and query of a request to write.
#![no_main]

use lectern::config::{Bindings, Config};
use lectern::credential::claims::{Claims, Purpose};
use lectern::credential::link;
use lectern::decide::{Decision, decide};
use lectern::object::content_type::is_inert;
use lectern::object::file_kind::{FileKind, check_bytes, check_name};
use lectern::object::key::{ObjectKey, Scope};
use lectern::operation::write::{Write, parse_parts};
use lectern::playlist::with_end;
use lectern::request::{Request, split_url};
use lectern_fuzz::{KEYS, NOW};
use libfuzzer_sys::fuzz_target;

const KINDS: [FileKind; 5] = [
    FileKind::Video,
    FileKind::Audio,
    FileKind::Image,
    FileKind::Captions,
    FileKind::Hls,
];

fuzz_target!(|data: &[u8]| {
    let Some((form, data)) = data.split_first() else {
        return;
    };
    match form % 4 {
        0 => file(data),
        1 => playlist(data),
        2 => parts(data),
        _ => write(data),
    }
});

fn file(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let Some(key) = str::from_utf8(&data[..at]).ok().and_then(|name| ObjectKey::new(name).ok())
    else {
        return;
    };
    let bytes = data.get(at + 1..).unwrap_or_default();
    let has_name = check_name(&KINDS, &key).is_ok();
    let is_one = KINDS.iter().any(|kind| check_name(&[*kind], &key).is_ok());
    assert_eq!(has_name, is_one, "{key}");
    if has_name && check_bytes(&key, bytes).is_ok() {
        let shown = bytes.trim_ascii_start();
        assert!(!shown.starts_with(b"<"), "{key}");
    }
}

fn playlist(bytes: &[u8]) {
    let Some(ended) = with_end(bytes) else {
        return;
    };
    assert!(ended.starts_with(bytes));
    assert!(ended.len() <= bytes.len() + "\n#EXT-X-ENDLIST\n".len());
    assert_eq!(with_end(&ended), None);
}

fn parts(bytes: &[u8]) {
    match parse_parts(bytes) {
        Ok(parts) => {
            assert!((1..=10_000).contains(&parts.len()));
            let numbers = parts.windows(2);
            assert!(numbers.into_iter().all(|pair| pair[0].part_number < pair[1].part_number));
        }
        Err(refusal) => assert!(refusal.detail.len() < 500, "{}", refusal.detail),
    }
}

/// A method, a path with its query, and a content type, each in a line.
fn write(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let mut lines = text.splitn(3, '\n');
    let (Some(method), Some(target), content_type) = (lines.next(), lines.next(), lines.next())
    else {
        return;
    };
    let config = Config::from_lookup(|name| (name == "LECTERN_KEYS").then(|| KEYS.to_owned()));
    let config = Config {
        bindings: Bindings {
            ledgers: true,
            revocations: false,
        },
        ..config.expect("a config")
    };
    let claims = Claims {
        purpose: Purpose::Upload,
        jti: Some("l".to_owned()),
        max_bytes: Some(1 << 30),
        types: Some(KINDS.to_vec()),
        ..Claims::new(Scope::parse("/u/").expect("a scope"), NOW + 60)
    };
    let token = link::mint(config.keys.minting(), &claims);
    let and = if target.contains('?') { '&' } else { '?' };
    let url = format!("https://video.example.org{target}{and}token={token}");
    let Some((origin, path, query)) = split_url(&url) else {
        return;
    };
    let header = |name: &str| match name {
        "content-length" => Some("9".to_owned()),
        "content-type" => content_type.map(str::to_owned),
        _ => None,
    };
    let request = Request {
        method,
        origin,
        path,
        query,
        header: &header,
        country: &|| None,
    };
    match decide(&request, &config, NOW) {
        Decision::Write { write, bounds, .. } => {
            assert!(write.key().as_str().starts_with("u/"), "{url}");
            assert!(!write.key().has_extension("html"), "{url}");
            let is_free = matches!(write, Write::Delete { .. } | Write::Abort { .. });
            assert_eq!(bounds.charge(&write).is_none(), is_free, "{url}");
            if let Write::Put { content_type, .. } | Write::Create { content_type, .. } = &write {
                assert!(is_inert(content_type), "{content_type}");
            }
        }
        Decision::Read(read) => {
            assert!(read.key.as_str().ends_with("status.json"), "{url}");
        }
        Decision::Redirect(_) | Decision::List { .. } => panic!("{url} reads"),
        _ => {}
    }
}
