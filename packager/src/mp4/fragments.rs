//! Finds the fragments of a file (ISO/IEC 14496-12) from box sizes, without reading the file.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use super::BoxError;
use crate::box_walk::BoxHeader;

#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// The Media Initialization Section, which precedes the first fragment.
    pub(crate) head: Range<u64>,
    /// Ranges of fragments, each from its `moof` to the next one.
    pub(crate) fragments: Vec<Range<u64>>,
}

/// Files without a readable fragment structure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FragmentsError {
    #[error(transparent)]
    Boxes(#[from] BoxError),
    #[error("it cannot be read or written")]
    Io(#[from] std::io::Error),
}

impl Layout {
    pub(crate) fn of(file: &mut (impl Read + Seek)) -> Result<Self, FragmentsError> {
        let length = file.seek(SeekFrom::End(0))?;
        let (mut layout, mut at) = (Self::default(), 0);
        while at < length {
            let head = read(file, at..length.min(at + BoxHeader::LONGEST as u64))?;
            let out = || BoxError::from(mp4_atom::Error::OutOfBounds);
            let header = BoxHeader::parse(&head, length - at).ok_or_else(out)?;
            let end = at.checked_add(header.size).filter(|end| *end <= length);
            let end = end.ok_or_else(out)?;
            match layout.fragments.last_mut() {
                _ if &header.kind == b"moof" => layout.fragments.push(at..end),
                Some(fragment) => fragment.end = end,
                None => layout.head.end = end,
            }
            at = end;
        }
        Ok(layout)
    }
}

pub(crate) fn read(
    from: &mut (impl Read + Seek),
    at: Range<u64>,
) -> Result<Vec<u8>, std::io::Error> {
    from.seek(SeekFrom::Start(at.start))?;
    let mut bytes = vec![];
    from.take(at.end - at.start).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::mp4::testing::{init, segment};

    #[test]
    fn a_fragment_goes_on_to_the_next_and_what_is_cut_short_is_an_error() {
        // A segment begins with its type box, which belongs to the range before it.
        let (head, part) = (init(1000), segment(0, &[40, 40]));
        let (first, length) = (head.len() + 16, part.len());
        let whole = [head, part.clone(), part].concat();
        let layout = Layout::of(&mut Cursor::new(&whole)).expect("boxes");
        assert_eq!(layout.head, 0..first as u64);
        let middle = (first + length) as u64;
        let expected = [first as u64..middle, middle..whole.len() as u64];
        assert_eq!(layout.fragments, expected);
        for end in 0..whole.len() {
            let _ = Layout::of(&mut Cursor::new(&whole[..end]));
        }
        assert!(Layout::of(&mut Cursor::new(&whole[..whole.len() - 1])).is_err());
    }
}
