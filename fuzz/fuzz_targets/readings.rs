//! Playlists as players read them. The oracle is the parsers of hls.js and Shaka Player, in a Node
//! process. No minted pass occurs in a URL of another host, and each URL with a pass names the
//! object that the pass opens.
//!
//! An input that begins like a playlist, a storyboard or an asset list is used as it is. Any other
//! selects pieces of hostile playlists. Needs `npm install`.
#![no_main]

use std::sync::{LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;
use testkit::player_readings::{Players, check, check_asset_list, check_storyboard, playlists};

static PLAYERS: LazyLock<Mutex<Players>> = LazyLock::new(|| {
    let players = Players::start().expect("Node, hls.js and shaka-player: npm install");
    Mutex::new(players)
});

fuzz_target!(|data: &[u8]| {
    let mut players = PLAYERS.lock().expect("one thread");
    let found = match data {
        [b'{', ..] => check_asset_list(data),
        [b'W', b'E', ..] => check_storyboard(data),
        [b'#', ..] | [0xEF | 0xFE | 0xFF, ..] => check(&mut players, data, data),
        _ => {
            let [multivariant, media] = playlists(data);
            check(&mut players, &multivariant, &media)
        }
    };
    if let Err(found) = found {
        panic!("{found}");
    }
});
