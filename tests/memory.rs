//! The memory of rewriting: the playlist, the result, and little else. An isolate has 128 MB and
//! serves many viewers at once.

use lectern::credential::binding::Binding;
use lectern::credential::keyring::Keyring;
use lectern::object::key::ObjectKey;
use lectern::playlist::{Base, Grant, Limits, rewrite};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// The memory of rewriting beside the playlist and the result.
const SLACK: usize = 64 * 1024;

#[test]
fn rewriting_takes_the_result_and_little_else() {
    let keys = Keyring::from_json(
        r#"[{"kid":"m","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#,
    )
    .expect("a key ring");
    let key = ObjectKey::new("courses/rails/v/1/480p/playlist.m3u8").expect("an object key");
    let base = Base {
        origin: "https://video.example.org",
        key: &key,
    };
    for (segments, extension, limits) in [
        (675, "m4s", Limits::None),
        (9_000, "m4s", Limits::None),
        (149_999, "m4s", Limits::None),
        (9_000, "m4s", Limits::Media { preview: None }),
        // Named like playlists, whose passes are longer.
        (9_000, "m3u8", Limits::None),
    ] {
        let grant = Grant {
            signing_key: keys.minting(),
            expires: 1_800_000_000,
            root: key.directory(),
            depth: 5,
            binding: Binding::default(),
            ticket: None,
            limits,
        };
        let mut playlist = "#EXTM3U\n#EXT-X-PLAYLIST-TYPE:VOD\n".to_owned();
        for number in 0..segments {
            playlist += &format!("#EXTINF:4.000000,\nseg{number:05}.{extension}\n");
        }
        playlist += "#EXT-X-ENDLIST\n";
        let profiler = dhat::Profiler::builder().testing().build();
        let result = rewrite(playlist.as_bytes(), &base, &grant)
            .expect("a playlist")
            .bytes;
        let stats = dhat::HeapStats::get();
        drop(profiler);
        eprintln!(
            "{segments} segments: {} bytes in, {} out, {} at the peak besides the input, {} allocations",
            playlist.len(),
            result.len(),
            stats.max_bytes,
            stats.total_blocks
        );
        assert!(stats.max_bytes >= result.len());
        assert!(
            stats.max_bytes <= result.len() + SLACK,
            "{segments} segments: {} bytes for a result of {}",
            stats.max_bytes,
            result.len()
        );
        // The result and the minter's keys. Nothing else grows with the playlist.
        assert!(stats.total_blocks < 20, "{} blocks", stats.total_blocks);
    }
}
