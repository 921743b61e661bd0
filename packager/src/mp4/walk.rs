//! Boxes one after the other (ISO/IEC 14496-12 §4.2), by their sizes alone. Pure: numbers may be anything.

use std::ops::Range;

/// Header of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BoxHeader {
    pub(crate) kind: [u8; 4],
    /// Bytes of the header.
    pub(crate) length: u64,
    /// Bytes of the box, this header included, as it says.
    pub(crate) size: u64,
}

impl BoxHeader {
    /// Bytes of the longest header, which has a size of 64 bits.
    pub(crate) const LONGEST: usize = 16;

    /// Parses a header from the first bytes of a box; `left` is how many there are to the end of what holds the box. `None`
    /// stands for what is no box.
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

/// A box among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundBox {
    pub(crate) kind: [u8; 4],
    /// Where its header begins.
    pub(crate) start: usize,
    /// Its body, as far as there are bytes.
    pub(crate) body: Range<usize>,
    /// It says that it has more bytes than there are; it is the last one.
    pub(crate) is_cut: bool,
}

/// Walks the boxes in a range of bytes. The error is where bytes begin that are no box; nothing follows it.
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
