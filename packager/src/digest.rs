//! SHA-256 of files and streams, in hexadecimal.

use crate::files::regular::open_regular;
use crate::progress::Step;
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::path::Path;

/// SHA-256 of a file, read a piece at a time.
pub(crate) async fn sha256_of_file(path: &Path, step: &Step) -> std::io::Result<String> {
    let mut file = open_regular(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
        step.add(read as u64);
        // A signal is noticed between pieces.
        tokio::task::yield_now().await;
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
