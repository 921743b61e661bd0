//! Signatures and sizes of images: JPEG, PNG, WebP, GIF and AVIF. Pure.

/// Maximum segments of a JPEG before its scan, and chunks of a PNG.
const MOST_PARTS: usize = 100_000;
const CUT: &str = "it is cut short";
/// Brands of AVIF and HEIF (ISO/IEC 23008-12), which share their boxes with video.
const IMAGE_BRANDS: [&[u8; 4]; 7] = [
    b"avif", b"avis", b"heic", b"heix", b"heif", b"mif1", b"msf1",
];

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
                false => Err(CUT),
            }
        }
        [b'G', b'I', b'F', b'8', ..] if bytes.ends_with(b";") => Ok(None),
        [b'G', b'I', b'F', b'8', ..] => Err(CUT),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..]
            if IMAGE_BRANDS.iter().any(|known| brand.starts_with(*known)) =>
        {
            Ok(None)
        }
        [] => Err("it is empty"),
        _ => Err("it is no image"),
    }
}

/// ITU-T T.81, Annex B. Cameras add bytes after the end.
fn jpeg(bytes: &[u8]) -> Result<(u32, u32), &'static str> {
    let mut at = 2;
    let mut size = None;
    for _ in 0..MOST_PARTS {
        // Markers may have fill bytes in front.
        while bytes.get(at) == Some(&0xff) && bytes.get(at + 1) == Some(&0xff) {
            at += 1;
        }
        let Some([0xff, marker, high, low, rest @ ..]) = bytes.get(at..) else {
            break;
        };
        match marker {
            // Frames, without the tables and the extension between their numbers.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let [_, a, b, c, d, ..] = rest else {
                    return Err(CUT);
                };
                let side = |high: u8, low: u8| u32::from(u16::from_be_bytes([high, low]));
                size = Some((side(*c, *d), side(*a, *b)));
            }
            // In a scan, the end follows 0xff only as the end.
            0xda => {
                let has_end = rest.windows(2).any(|pair| pair == [0xff, 0xd9]);
                let size = size.ok_or("its segments cannot be read")?;
                return has_end.then_some(size).ok_or(CUT);
            }
            _ => {}
        }
        at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
    }
    Err(match at >= bytes.len() {
        true => CUT,
        false => "its segments cannot be read",
    })
}

/// W3C PNG §5.3: chunks up to `IEND`.
fn png(bytes: &[u8]) -> Result<(u32, u32), &'static str> {
    let number = |at: usize| -> Option<u32> {
        Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
    };
    let mut at = 8;
    for _ in 0..MOST_PARTS {
        let (Some(length), Some(kind)) = (number(at), bytes.get(at + 4..at + 8)) else {
            break;
        };
        if kind == b"IEND" {
            let size = number(16).zip(number(20));
            return size.ok_or(CUT);
        }
        at = at.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        at = at.saturating_add(12);
    }
    Err(CUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A JPEG of this size with a scan of a byte.
    const JPEG: &[u8] =
        b"\xff\xd8\xff\xe0\0\x06\xff\xd9ab\xff\xc0\0\x08\x08\0\x5a\0\xa0\0\xff\xda\0\x02a\xff\xd9";

    #[test]
    fn an_image_has_a_signature_an_end_and_a_size() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x02\0\0\0\x01\x08\x02\0\0\0crc!\0\0\0\0IEND\0\0\0\0";
        for (bytes, expected) in [
            (JPEG, Ok(Some((160, 90)))),
            (&JPEG[..JPEG.len() - 1], Err(CUT)),
            (&[JPEG, b"trailer"].concat(), Ok(Some((160, 90)))),
            (&JPEG[..20], Err(CUT)),
            (
                b"\xff\xd8\xff\xe0\0\x02\0\0\xff\xd9",
                Err("its segments cannot be read"),
            ),
            (
                b"\xff\xd8\xff\xda\0\x02a\xff\xd9",
                Err("its segments cannot be read"),
            ),
            (png, Ok(Some((2, 1)))),
            (&[&png[..], b"trailer"].concat(), Ok(Some((2, 1)))),
            (&png[..30], Err(CUT)),
            (b"RIFF\x04\0\0\0WEBP", Ok(None)),
            (b"RIFF\x05\0\0\0WEBP", Err(CUT)),
            (b"GIF89a;", Ok(None)),
            (b"\0\0\0\x1cftypavif", Ok(None)),
            (b"\0\0\0\x1cftypisom", Err("it is no image")),
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
