//! Bytes of what a ledger stores: integers as LEB128, texts with their length.

/// Writes values one after the other.
#[derive(Debug, Default)]
pub(super) struct LedgerWriter {
    pub(super) bytes: Vec<u8>,
}

impl LedgerWriter {
    pub(super) fn integer(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.integer(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

/// Reads what [`LedgerWriter`] wrote. `None` if the bytes end early or are malformed.
#[derive(Debug)]
pub(super) struct LedgerReader<'bytes> {
    rest: &'bytes [u8],
}

impl<'bytes> LedgerReader<'bytes> {
    pub(super) fn new(bytes: &'bytes [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn integer(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.integer()?).ok()
    }

    pub(super) fn bytes(&mut self, length: usize) -> Option<&'bytes [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let length = self.small()?;
        let text = str::from_utf8(self.bytes(length)?).ok()?;
        Some(text.to_owned())
    }

    /// Reads a list of at most `most` values.
    pub(super) fn list<T>(
        &mut self,
        most: usize,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let length = self.small().filter(|length: &usize| *length <= most)?;
        (0..length).map(|_| read(self)).collect()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_were_written() {
        let numbers = [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ];
        let mut writer = LedgerWriter::default();
        for number in numbers {
            writer.integer(number);
        }
        writer.text("é");
        let mut reader = LedgerReader::new(&writer.bytes);
        for number in numbers {
            assert_eq!(reader.integer(), Some(number));
        }
        assert!(!reader.is_at_end());
        assert_eq!(reader.text().as_deref(), Some("é"));
        assert!(reader.is_at_end());
    }

    #[test]
    fn malformed_bytes_are_refused() {
        for bytes in [&[][..], &[0x80], &[0xFF; 11], &[0xFF; 10]] {
            assert_eq!(LedgerReader::new(bytes).integer(), None, "{bytes:?}");
        }
        assert_eq!(LedgerReader::new(&[2, b'a']).text(), None);
        assert_eq!(LedgerReader::new(&[1, 0xFF]).text(), None);
        assert_eq!(LedgerReader::new(&[0xFF, 0x03]).small::<u8>(), None);
        assert_eq!(
            LedgerReader::new(&[3, 0, 0, 0]).list(2, LedgerReader::integer),
            None
        );
    }
}
