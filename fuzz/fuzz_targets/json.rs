//! JSON texts; the oracle is `serde_json`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/json_oracle/mod.rs"]
mod json_oracle;

fuzz_target!(|data: &[u8]| json_oracle::compare(data));
