//! Size and memory of the answers to stored input. The oracle is arithmetic: a pass for each URI,
//! the limit of variables, and buffers of a fixed multiple of input and output.
//!
//! The first byte selects the code, as in `linear`. The rest is repeated up to 256 KiB, or occurs
//! once.
#![no_main]

use allocation_counter::measure;
use lectern::credential::keyring::Keyring;
use lectern_fuzz::{KEYS, ORIGIN, Stored};
use libfuzzer_sys::fuzz_target;

/// `?p=` and the longest pass.
const PASS_BYTES: usize = 3 + 43;
/// The longest object key, percent-encoded.
const KEY_BYTES: usize = 3 * 1024;
/// The limits of an expanded URI, and of all expansions in one playlist: DESIGN.md, "Playlists".
const EXPANDED_BYTES: usize = 8 << 10;
const EXPANSION_BYTES: usize = 8 << 20;
/// Bytes of memory for each byte of input and output, for each line, for each URI, and a constant.
/// Filters store the ranges of lines and Media Segments. A 64-bit target doubles what the Worker
/// needs for them.
const PER_BYTE: usize = 4;
const PER_LINE: usize = 128;
const PER_URI: usize = 256;
const ANYWAY_BYTES: usize = 512 << 10;
/// The values of an asset list, of which at most 100,000 are read.
const VALUES_BYTES: usize = 16 << 20;

fuzz_target!(|data: &[u8]| {
    let Some((&form, unit)) = data.split_first() else {
        return;
    };
    let keys = Keyring::from_json(KEYS).expect("a key ring");
    let stored = Stored::of(form);
    let repeated = unit.len() <= 2048 && !unit.is_empty();
    let inputs = [
        Some(unit.to_vec()),
        repeated.then(|| stored.repeated(unit, 256 << 10)),
    ];
    for input in inputs.into_iter().flatten() {
        let mut output = None;
        let used = measure(|| output = stored.answer(&keys, &input));
        // A URI takes at least one byte and a line ending, or two quotes.
        let uris = stored.uris(&input);
        let expanded = if memchr::memmem::find(&input, b"{$").is_some() {
            (uris * EXPANDED_BYTES).min(EXPANSION_BYTES + EXPANDED_BYTES)
        } else {
            0
        };
        // Assets become URLs with the edge's origin.
        let absolute = stored.assets(&input) * (ORIGIN.len() + KEY_BYTES);
        let length = output.as_ref().map_or(0, Vec::len);
        let most = input.len() + uris * PASS_BYTES + expanded + absolute;
        assert!(
            length <= most + stored.tags_bytes(),
            "{stored:?}: {length} bytes for {} with {uris} URIs",
            input.len()
        );
        let values = if matches!(stored, Stored::AssetList) {
            VALUES_BYTES
        } else {
            0
        };
        let lines = memchr::memchr_iter(b'\n', &input).count() + 1;
        let most = PER_BYTE * (input.len() + length)
            + PER_LINE * lines
            + PER_URI * uris
            + ANYWAY_BYTES
            + values;
        assert!(
            used.bytes_max as usize <= most,
            "{stored:?}: {} bytes held for {} in and {length} out",
            used.bytes_max,
            input.len()
        );
    }
});
