//! SHA-256 of bytes, files and streams, in hexadecimal.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

/// Bytes of one read.
const CHUNK: usize = 1 << 20;

/// Length and SHA-256 of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// Digest of a stream, computed chunk by chunk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hasher {
    hash: Sha256,
    bytes: u64,
}

impl Hasher {
    pub(crate) fn update(&mut self, chunk: &[u8]) {
        self.hash.update(chunk);
        self.bytes += chunk.len() as u64;
    }

    pub(crate) fn finish(self) -> Digest {
        Digest {
            bytes: self.bytes,
            sha256: hex(&self.hash.finalize()),
        }
    }
}

/// SHA-256 of bytes in memory.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

/// Digest of a whole reader. Signals are handled between chunks.
pub(crate) async fn of_reader(
    mut reader: impl Read,
    mut on_bytes: impl FnMut(u64),
) -> io::Result<Digest> {
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; CHUNK]);
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..read]);
        on_bytes(read as u64);
        tokio::task::yield_now().await;
    }
}

/// Digest as in [`of_reader`], on a thread that may block.
pub(crate) fn of_reader_blocking(mut reader: impl Read) -> io::Result<Digest> {
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; CHUNK]);
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..read]);
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
