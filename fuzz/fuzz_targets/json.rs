//! JSON texts; the oracle is `serde_json`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use testkit::json_oracle;

fuzz_target!(|data: &[u8]| json_oracle::compare(data));
