//! Walks consecutive boxes (ISO/IEC 14496-12 §4.2) by their sizes. Pure: any number may be hostile.

use std::ops::Range;

/// Header of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BoxHeader {
    pub(crate) kind: [u8; 4],
    /// Bytes of the header.
    pub(crate) length: u64,
    /// Declared bytes of the box, including its header.
    pub(crate) size: u64,
}

impl BoxHeader {
    /// Bytes of the longest header, which has a 64-bit size.
    pub(crate) const LONGEST: usize = 16;

    /// Parses a header from the first bytes of a box; `left` is the number of bytes to the end of
    /// its container. `None` means that no box begins here.
    pub(crate) fn parse(head: &[u8], left: u64) -> Option<Self> {
        let [a, b, c, d, kind @ ..] = *head.first_chunk::<8>()?;
        let (length, size) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (8, left),
            1 => (16, u64::from_be_bytes(*head.get(8..)?.first_chunk()?)),
            size => (8, size.into()),
        };
        (size >= length).then_some(Self { kind, length, size })
    }
}

/// A box with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundBox {
    pub(crate) kind: [u8; 4],
    /// Start of its header.
    pub(crate) start: usize,
    /// Its body, as far as there are bytes.
    pub(crate) body: Range<usize>,
    /// The declared size exceeds the bytes; only the last box may be cut.
    pub(crate) is_cut: bool,
}

/// Walks the boxes in a range. An error is the position of bytes that are no box, and ends the
/// walk.
pub(crate) fn walk(
    bytes: &[u8],
    within: Range<usize>,
) -> impl Iterator<Item = Result<FoundBox, usize>> {
    let (mut at, end) = (within.start, within.end.min(bytes.len()));
    std::iter::from_fn(move || {
        let rest = bytes.get(at..end).filter(|rest| !rest.is_empty())?;
        let start = at;
        at = end;
        let Some(header) = BoxHeader::parse(rest, rest.len() as u64) else {
            return Some(Err(start));
        };
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        let is_cut = size > rest.len();
        if !is_cut {
            at = start + size;
        }
        Some(Ok(FoundBox {
            kind: header.kind,
            start,
            body: start + usize::try_from(header.length).unwrap_or(8)..at,
            is_cut,
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_found_by_their_sizes_and_what_is_none_ends_the_walk() {
        let bytes = b"\0\0\0\x09free1\0\0\0\x01mdat\0\0\0\0\0\0\0\x12ab\0\0\0\0lastcd";
        let found: Vec<_> = walk(bytes, 0..bytes.len()).map(Result::unwrap).collect();
        let shown: Vec<_> = found
            .iter()
            .map(|one| (&one.kind, &bytes[one.body.clone()], one.is_cut))
            .collect();
        assert_eq!(
            shown,
            [
                (b"free", &b"1"[..], false),
                (b"mdat", b"ab", false),
                (b"last", b"cd", false)
            ]
        );
        let cut: Vec<_> = walk(&bytes[..8], 0..8).collect();
        assert!(matches!(&cut[..], [Ok(one)] if one.is_cut && one.body == (8..8)));
        for wrong in [
            &b"\0\0\0\x07free"[..],
            b"\0\0\0",
            b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0f",
        ] {
            let found: Vec<_> = walk(wrong, 0..wrong.len()).collect();
            assert_eq!(found, [Err(0)], "{wrong:?}");
        }
    }
}
