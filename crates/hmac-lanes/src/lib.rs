//! HMAC-SHA-256 (RFC 2104, FIPS 180-4) of short messages, four at a time.
//!
//! A playlist of ten hours has 9,000 URIs, each with its own MAC, and a request may use 10 ms. With
//! the key's two blocks hashed once, a message of at most 55 bytes costs two more blocks. In
//! workerd, sha2 takes 0.31 µs for them. This module hashes four messages at once, each in a lane
//! of a vector, in 0.18 µs a message. Longer messages, links and verifications use the crate
//! `hmac`, with which the tests compare this one.

use std::fmt;

use sha2::block_api::compress256;
use wide::u32x4;

/// The number of messages hashed at once: the lanes of a 128-bit vector, the widest in wasm.
pub const LANES: usize = 4;
/// The first 16 bytes of a MAC, in base64url.
pub const MAC_CHARACTERS: usize = 22;
/// The longest message that fits into one block with its padding: a bit, and the length in 64 bits.
pub const MAX_MESSAGE_BYTES: usize = BLOCK_BYTES - 9;

const BLOCK_BYTES: usize = 64;
type Block = [u8; BLOCK_BYTES];

/// The initial hash value (FIPS 180-4 §5.3.3).
#[rustfmt::skip]
const INITIAL: [u32; 8] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
];

/// The round constants (FIPS 180-4 §4.2.2).
#[rustfmt::skip]
static ROUND_CONSTANTS: [[u32x4; 16]; 4] = lanes([
    [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    ],
    [
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    ],
    [
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    ],
    [
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ],
]);

/// Copies each constant into every lane.
const fn lanes(constants: [[u32; 16]; 4]) -> [[u32x4; 16]; 4] {
    let mut lanes = [[u32x4::ZERO; 16]; 4];
    let mut at = 0;
    while at < 64 {
        let constant = constants[at / 16][at % 16];
        lanes[at / 16][at % 16] = u32x4::new([constant; LANES]);
        at += 1;
    }
    lanes
}

/// A MAC key: the two states of SHA-256 after the key's blocks.
#[derive(Clone)]
pub struct MacKey {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacKey").finish_non_exhaustive()
    }
}

impl MacKey {
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let after = |pad: u8| {
            let mut block = [pad; BLOCK_BYTES];
            for (byte, key) in block.iter_mut().zip(key) {
                *byte ^= key;
            }
            let mut state = INITIAL;
            compress256(&mut state, &[block]);
            state
        };
        Self {
            inner: after(0x36),
            outer: after(0x5c),
        }
    }

    /// The first 16 bytes of each message's MAC, in base64url.
    #[must_use]
    pub fn macs(&self, messages: &[Message; LANES]) -> [[u8; MAC_CHARACTERS]; LANES] {
        let hash = compress(self.inner.map(u32x4::splat), transposed(messages));
        // The outer hash takes the inner one as its message, so its padding is constant.
        let mut words = [u32x4::ZERO; 16];
        words[..8].copy_from_slice(&hash);
        words[8] = u32x4::splat(0x8000_0000);
        words[15] = u32x4::splat(bits_with_key(32));
        let [a, b, c, d, ..] = compress(self.outer.map(u32x4::splat), words).map(u32x4::to_array);
        std::array::from_fn(|lane| {
            let mut mac = [0; 16];
            for (bytes, word) in mac.as_chunks_mut().0.iter_mut().zip([a, b, c, d]) {
                *bytes = word[lane].to_be_bytes();
            }
            base64url(&mac)
        })
    }
}

/// Encodes base64url (RFC 4648 §5) without padding, with lengths known at compile time.
#[must_use]
pub fn base64url<const BYTES: usize, const CHARACTERS: usize>(
    bytes: &[u8; BYTES],
) -> [u8; CHARACTERS] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let byte = |at: usize| u32::from(bytes.get(at).copied().unwrap_or(0));
    std::array::from_fn(|at| {
        // Four characters are three bytes.
        let from = at / 4 * 3;
        let bits = byte(from) << 16 | byte(from + 1) << 8 | byte(from + 2);
        ALPHABET[(bits >> (18 - at % 4 * 6) & 63) as usize]
    })
}

/// Appends a head, and space for a MAC.
pub fn append_room(head: &[u8], out: &mut Vec<u8>) {
    out.reserve(head.len() + MAC_CHARACTERS);
    out.extend_from_slice(head);
    out.extend_from_slice(&[b'A'; MAC_CHARACTERS]);
}

/// A short message in its block, with its padding (FIPS 180-4 §5.1.1). SHA-256 reads big-endian
/// words. The bytes of each word are stored in reverse, so that one load reads four words.
#[derive(Debug, Clone, Copy)]
pub struct Message {
    block: Block,
    length: usize,
}

impl Message {
    /// An unused lane.
    pub const NONE: Self = Self {
        block: [0; BLOCK_BYTES],
        length: 0,
    };

    /// Replaces the message. Bytes beyond [`MAX_MESSAGE_BYTES`] are left out.
    ///
    /// It copies byte by byte. In wasm, copying or clearing a variable length calls the runtime,
    /// and a longer previous message rarely leaves bytes to clear.
    pub fn set(&mut self, message: &[u8]) {
        let message = &message[..message.len().min(MAX_MESSAGE_BYTES)];
        for (at, byte) in message.iter().enumerate() {
            self.block[at ^ 3] = *byte;
        }
        for at in message.len() + 1..=self.length {
            self.block[at ^ 3] = 0;
        }
        self.block[message.len() ^ 3] = 0x80;
        self.block[60..].copy_from_slice(&bits_with_key(message.len()).to_le_bytes());
        self.length = message.len();
    }

    #[inline(always)]
    fn four_words(&self, quarter: usize) -> u32x4 {
        let word = |at: usize| {
            let at = quarter * 16 + at * 4;
            let bytes = [0, 1, 2, 3].map(|byte| self.block[at + byte]);
            u32::from_le_bytes(bytes)
        };
        u32x4::new([word(0), word(1), word(2), word(3)])
    }
}

/// The length in bits of a message after the key's block.
const fn bits_with_key(bytes: usize) -> u32 {
    ((BLOCK_BYTES + bytes) * 8) as u32
}

/// Transposes four blocks: the first word of each into the first vector, and so on.
#[inline(always)]
fn transposed(messages: &[Message; LANES]) -> [u32x4; 16] {
    let quarter =
        |at: usize| u32x4::transpose(messages.each_ref().map(|message| message.four_words(at)));
    let [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]] =
        [quarter(0), quarter(1), quarter(2), quarter(3)];
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// Compresses four blocks (FIPS 180-4 §6.2.2).
fn compress(before: [u32x4; 8], mut words: [u32x4; 16]) -> [u32x4; 8] {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = before;
    for (sixteen, constants) in ROUND_CONSTANTS.iter().enumerate() {
        if sixteen > 0 {
            expand(&mut words);
        }
        // Unrolled: names rotate instead of values, and indices are constants. So the state stays
        // in registers, whether optimized for size or speed.
        macro_rules! round {
            ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $at:expr) => {
                let sigma_1 = rotated($e, 6) ^ rotated($e, 11) ^ rotated($e, 25);
                let choice = $g ^ ($e & ($f ^ $g));
                let first = $h + (words[$at] + constants[$at]) + choice + sigma_1;
                let sigma_0 = rotated($a, 2) ^ rotated($a, 13) ^ rotated($a, 22);
                let majority = $b ^ (($a ^ $b) & ($b ^ $c));
                $d += first;
                $h = first + majority + sigma_0;
            };
        }
        macro_rules! eight_rounds {
            ($from:literal) => {
                round!(a b c d e f g h, $from);
                round!(h a b c d e f g, $from + 1);
                round!(g h a b c d e f, $from + 2);
                round!(f g h a b c d e, $from + 3);
                round!(e f g h a b c d, $from + 4);
                round!(d e f g h a b c, $from + 5);
                round!(c d e f g h a b, $from + 6);
                round!(b c d e f g h a, $from + 7);
            };
        }
        eight_rounds!(0);
        eight_rounds!(8);
    }
    let [a0, b0, c0, d0, e0, f0, g0, h0] = before;
    [
        a0 + a,
        b0 + b,
        c0 + c,
        d0 + d,
        e0 + e,
        f0 + f,
        g0 + g,
        h0 + h,
    ]
}

/// Computes the next sixteen words of the message schedule, in place.
#[inline(always)]
fn expand(words: &mut [u32x4; 16]) {
    macro_rules! expand {
        ($($at:literal)*) => { $({
            let [early, late] = [words[($at + 1) % 16], words[($at + 14) % 16]];
            let sigma_0 = rotated(early, 7) ^ rotated(early, 18) ^ (early >> 3_u32);
            let sigma_1 = rotated(late, 17) ^ rotated(late, 19) ^ (late >> 10_u32);
            words[$at] = words[$at] + sigma_0 + words[($at + 9) % 16] + sigma_1;
        })* };
    }
    expand!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
}

#[inline(always)]
fn rotated(word: u32x4, right: u32) -> u32x4 {
    (word >> right) | (word << (32 - right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::Sha256;

    #[test]
    fn a_mac_is_what_the_crate_hmac_computes_in_every_lane_and_at_every_length() {
        let key: [u8; 32] = std::array::from_fn(|at| (at * 37 + 1) as u8);
        let lanes = MacKey::new(&key);
        let mut messages = [Message::NONE; LANES];
        // Descending lengths as well: a message replaces a longer one.
        for length in (0..=MAX_MESSAGE_BYTES).chain((0..=MAX_MESSAGE_BYTES).rev().step_by(7)) {
            let texts: [Vec<u8>; LANES] = std::array::from_fn(|lane| {
                let length = length.saturating_sub(lane);
                (0..length)
                    .map(|at| (at * 7 + lane * 83 + length) as u8)
                    .collect()
            });
            for (message, text) in messages.iter_mut().zip(&texts) {
                message.set(text);
            }
            let expected = texts.each_ref().map(|text| {
                let mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
                let mac = mac.chain_update(text).finalize().into_bytes();
                URL_SAFE_NO_PAD.encode(&mac[..16]).into_bytes()
            });
            assert_eq!(lanes.macs(&messages).map(Vec::from), expected, "{length}");
        }
    }
}
