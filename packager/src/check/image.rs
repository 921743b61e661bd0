//! Signatures and sizes of images: JPEG, PNG, WebP, GIF and AVIF. Pure.

/// Maximum segments of a JPEG before its frame.
const MOST_MARKERS: usize = 1_000;

/// Width and height; an error says what is wrong. The size of WebP, GIF and AVIF is not read.
pub(super) fn size(bytes: &[u8]) -> Result<Option<(u32, u32)>, &'static str> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => jpeg(bytes).map(Some),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => png(bytes).map(Some),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            a,
            b,
            c,
            d,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => {
            let length = u32::from_le_bytes([*a, *b, *c, *d]);
            match bytes.len() as u64 >= u64::from(length) + 8 {
                true => Ok(None),
                false => Err("it is cut short"),
            }
        }
        [b'G', b'I', b'F', b'8', ..] if bytes.ends_with(b";") => Ok(None),
        [b'G', b'I', b'F', b'8', ..] => Err("it is cut short"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Ok(None),
        [] => Err("it is empty"),
        _ => Err("it is no image"),
    }
}

/// ITU-T T.81, Annex B.
fn jpeg(bytes: &[u8]) -> Result<(u32, u32), &'static str> {
    let cut = "it is cut short";
    let end = bytes.iter().rposition(|byte| *byte != 0).ok_or(cut)?;
    if !bytes[..=end].ends_with(&[0xff, 0xd9]) {
        return Err(cut);
    }
    let mut at = 2;
    for _ in 0..MOST_MARKERS {
        // Markers may have fill bytes in front.
        while bytes.get(at) == Some(&0xff) && bytes.get(at + 1) == Some(&0xff) {
            at += 1;
        }
        let Some([0xff, marker, high, low, rest @ ..]) = bytes.get(at..) else {
            return Err("its segments cannot be read");
        };
        match marker {
            // Frames, without the tables and the extension between their numbers.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let [_, a, b, c, d, ..] = rest else {
                    return Err(cut);
                };
                let size = |high: u8, low: u8| u32::from(u16::from_be_bytes([high, low]));
                return Ok((size(*c, *d), size(*a, *b)));
            }
            _ => at += 2 + usize::from(u16::from_be_bytes([*high, *low])),
        }
    }
    Err("its segments cannot be read")
}

fn png(bytes: &[u8]) -> Result<(u32, u32), &'static str> {
    let number = |at: usize| -> Option<u32> {
        Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
    };
    let has_end = bytes.windows(4).rev().take(16).any(|kind| kind == b"IEND");
    match (number(16), number(20)) {
        (Some(width), Some(height)) if has_end => Ok((width, height)),
        _ => Err("it is cut short"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A JPEG of this size without a picture.
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x08\x08\0\x5a\0\xa0\0\xff\xd9";

    #[test]
    fn an_image_has_a_signature_an_end_and_a_size() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x02\0\0\0\x01\0\0\0\0IEND\0\0\0\0";
        for (bytes, expected) in [
            (JPEG, Ok(Some((160, 90)))),
            (&JPEG[..JPEG.len() - 1], Err("it is cut short")),
            (
                b"\xff\xd8\xff\xe0\0\x02\0\0\xff\xd9",
                Err("its segments cannot be read"),
            ),
            (png, Ok(Some((2, 1)))),
            (&png[..30], Err("it is cut short")),
            (b"RIFF\x04\0\0\0WEBP", Ok(None)),
            (b"RIFF\x05\0\0\0WEBP", Err("it is cut short")),
            (b"GIF89a;", Ok(None)),
            (b"Hello", Err("it is no image")),
            (b"", Err("it is empty")),
        ] {
            assert_eq!(size(bytes), expected, "{bytes:?}");
        }
        for at in 0..JPEG.len() {
            let _ = size(&JPEG[..at]);
        }
    }
}
