//! DASH manifests that get a base URL. The oracle is `quick-xml` and the WHATWG URL parser: the
//! folder's URL stands only in a `BaseURL` of the root, in front of its first `Period`, and nothing
//! else of the manifest changes.
#![no_main]

use allocation_counter::measure;
use lectern::playlist::with_base_url;
use libfuzzer_sys::fuzz_target;
use testkit::base_url_oracle::{FOLDER, compare};

/// Memory for a few base URLs, whatever the manifest.
const ANYWAY_BYTES: u64 = 64 << 10;

fuzz_target!(|manifest: &[u8]| {
    let used = measure(|| drop(with_base_url(manifest, FOLDER)));
    let most = 3 * manifest.len() as u64 + ANYWAY_BYTES;
    assert!(
        used.bytes_max <= most,
        "{} bytes held for {}",
        used.bytes_max,
        manifest.len()
    );
    compare(manifest);
});
