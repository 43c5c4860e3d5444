//! Bits packed into bytes.

use super::super::error::ModelError;
use super::file::TOO_SHORT;

/// Writes bits, the lowest of the first byte first.
#[derive(Default)]
pub(super) struct BitWriter {
    out: Vec<u8>,
    bits: u64,
    count: u32,
}

impl BitWriter {
    /// Writes the lowest `count` bits, at most 32. Those above must be 0.
    pub(super) fn put(&mut self, bits: u32, count: u32) {
        self.bits |= u64::from(bits) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.out.push(self.bits as u8);
            self.bits >>= 8;
            self.count -= 8;
        }
    }

    /// Fills the last byte with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.out.push(self.bits as u8);
        }
        self.out
    }
}

/// Reads what [`BitWriter`] wrote.
pub(super) struct BitReader<'a> {
    rest: &'a [u8],
    bits: u64,
    count: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            bits: 0,
            count: 0,
        }
    }

    /// Reads `count` bits, at most 32.
    pub(super) fn take(&mut self, count: u32) -> Result<u32, ModelError> {
        while self.count < count {
            let (&byte, rest) = self.rest.split_first().ok_or(TOO_SHORT)?;
            self.rest = rest;
            self.bits |= u64::from(byte) << self.count;
            self.count += 8;
        }
        let taken = self.bits & ((1 << count) - 1);
        self.bits >>= count;
        self.count -= count;
        Ok(taken as u32)
    }

    /// Whether only the zeros that fill the last byte are left.
    pub(super) fn is_used_up(&self) -> bool {
        self.rest.is_empty() && self.bits == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::property::cases(200))]

        #[test]
        fn bits_are_read_back_unchanged(parts in prop::collection::vec((any::<u32>(), 0..=32_u32), 0..100)) {
            let masked = |(bits, count): (u32, u32)| (u64::from(bits) & ((1 << count) - 1)) as u32;
            let mut writer = BitWriter::default();
            for &part in &parts {
                writer.put(masked(part), part.1);
            }
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            for &part in &parts {
                prop_assert_eq!(reader.take(part.1), Ok(masked(part)));
            }
            prop_assert!(reader.is_used_up());
        }
    }
}
