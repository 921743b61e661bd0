//! The sequence parameter set of H.264 (ITU-T H.264 §7.3.2.1.1): profile, level and size. For anybody's bytes. Pure.

/// RFC 6381 §3.3: `avc1.64001f`.
pub(crate) fn codec(sps: &[u8]) -> Option<String> {
    let [profile, constraints, level] = sps.get(1..4)?.try_into().ok()?;
    Some(format!("avc1.{profile:02x}{constraints:02x}{level:02x}"))
}

/// Width and height of what is shown.
pub(crate) fn size(sps: &[u8]) -> Option<(u32, u32)> {
    /// Profiles that say how colour is sampled, and may bring scaling lists.
    const HIGH: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
    let mut bits = Bits {
        bytes: unescaped(sps.get(1..)?),
        at: 0,
    };
    let profile = bits.take(8)?;
    bits.take(16)?;
    bits.golomb()?;
    let mut chroma = 1;
    if HIGH.contains(&profile) {
        chroma = bits.golomb()?;
        if chroma == 3 {
            bits.take(1)?;
        }
        // Bit depths, and whether the transform may be left out.
        bits.golomb()?;
        bits.golomb()?;
        bits.take(1)?;
        if bits.take(1)? == 1 {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.take(1)? == 1 {
                    bits.scaling_list(if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.golomb()?;
    match bits.golomb()? {
        0 => {
            bits.golomb()?;
        }
        1 => {
            bits.take(1)?;
            bits.golomb()?;
            bits.golomb()?;
            for _ in 0..bits.golomb()?.min(255) {
                bits.golomb()?;
            }
        }
        _ => {}
    }
    bits.golomb()?;
    bits.take(1)?;
    let (columns, rows) = (
        bits.golomb()?.checked_add(1)?,
        bits.golomb()?.checked_add(1)?,
    );
    // Without it rows are those of a field.
    let fields = 2 - bits.take(1)?;
    if fields == 2 {
        bits.take(1)?;
    }
    bits.take(1)?;
    let (mut width, mut height) = (columns.checked_mul(16)?, rows.checked_mul(16 * fields)?);
    if bits.take(1)? == 1 {
        let [left, right, top, bottom] = [
            bits.golomb()?,
            bits.golomb()?,
            bits.golomb()?,
            bits.golomb()?,
        ];
        // Table 6-1.
        let across = if matches!(chroma, 1 | 2) { 2 } else { 1 };
        let down = if chroma == 1 { 2 } else { 1 } * fields;
        width = width.checked_sub(left.checked_add(right)?.checked_mul(across)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(down)?)?;
    }
    Some((width, height))
}

/// Without the bytes that keep a start code from appearing (§7.4.1).
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut zeros = 0;
    for byte in bytes {
        if *byte == 3 && zeros >= 2 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        out.push(*byte);
    }
    out
}

struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// §9.1: as many bits follow a one as zeros stood before it.
    fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.take(zeros)?;
        ((1_u64 << zeros) - 1 + u64::from(rest)).try_into().ok()
    }

    /// §7.3.2.1.1.1, read to get behind it.
    fn scaling_list(&mut self, length: u32) -> Option<()> {
        let (mut last, mut next) = (8_i64, 8_i64);
        for _ in 0..length {
            if next != 0 {
                let code = i64::from(self.golomb()?);
                // §9.1.1.
                let delta = if code % 2 == 0 {
                    -code / 2
                } else {
                    code / 2 + 1
                };
                next = (last + delta).rem_euclid(256);
            }
            if next != 0 {
                last = next;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_names_are_those_that_x264_was_asked_for() {
        for (hex, codec_, size_) in [
            (
                "67640028acd940780227e5c044000003000400000300c83c60c658",
                "avc1.640028",
                (1920, 1080),
            ),
            (
                "6764001eacd940d83de6f011000003000100000300320f162d96",
                "avc1.64001e",
                (854, 480),
            ),
            (
                "6742c00cd901013b011000000300100000030320f142a480",
                "avc1.42c00c",
                (256, 144),
            ),
            (
                "674d4015eca0d8ff2780880000030008000003019078b16cb0",
                "avc1.4d4015",
                (426, 240),
            ),
            // 4:4:4, whose chroma is cropped by single samples.
            (
                "67f4001f919b280841ef13e022000003000200000300641e30632c",
                "avc1.f4001f",
                (1048, 480),
            ),
            // Interlaced.
            (
                "6764001eacd940b424d8088000000300800000190f8a14cb",
                "avc1.64001e",
                (720, 576),
            ),
        ] {
            let sps = bytes(hex);
            assert_eq!(codec(&sps).as_deref(), Some(codec_), "{hex}");
            assert_eq!(size(&sps), Some(size_), "{hex}");
        }
    }

    #[test]
    fn a_damaged_set_has_some_size_or_none_and_never_a_panic() {
        let good = bytes("67640028acd940780227e5c044000003000400000300c83c60c658");
        for at in 0..good.len() {
            let _ = size(&good[..at]);
            for value in [0, 1, 3, 0x7f, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = (size(&bad), codec(&bad));
            }
        }
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).expect("hexadecimal"))
            .collect()
    }
}
