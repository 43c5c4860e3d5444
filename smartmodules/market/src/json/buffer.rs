//! The buffer that records are written to; it hands out space in pieces of fixed size.
//!
//! In a wasm engine every copy of more than eight bytes is a call out of the module, and a row has fifty small ones. In a
//! piece of fixed size they become single stores with one bounds check.

/// Bytes written, and space after them.
#[derive(Debug, Default, Clone)]
pub struct Buffer {
    bytes: Vec<u8>,
    len: usize,
}

impl Buffer {
    /// The bytes written.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Removes all bytes and keeps the memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends bytes.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends what is likely few bytes: eight at a time, the last eight may overlap those before.
    #[inline]
    pub(crate) fn extend_short(&mut self, bytes: &[u8]) {
        let last = match bytes.last_chunk::<8>() {
            Some(last) if bytes.len() <= 64 => last,
            Some(_) => return self.extend(bytes),
            None => {
                let room = self.room::<8>();
                for (to, from) in room.iter_mut().zip(bytes) {
                    *to = *from;
                }
                self.len += bytes.len();
                return;
            }
        };
        let room = self.room::<64>();
        let (eights, _) = bytes.as_chunks::<8>();
        for (to, from) in room.as_chunks_mut::<8>().0.iter_mut().zip(eights) {
            *to = *from;
        }
        room[bytes.len() - 8..][..8].copy_from_slice(last);
        self.len += bytes.len();
    }

    /// Appends a byte.
    #[inline(always)]
    pub(super) fn push(&mut self, byte: u8) {
        self.room::<1>()[0] = byte;
        self.len += 1;
    }

    /// Space for `N` bytes after those written; [`Self::advance`] then says how many were used.
    #[inline(always)]
    pub(super) fn room<const N: usize>(&mut self) -> &mut [u8; N] {
        if self.bytes.len() < self.len + N {
            self.make_room(N);
        }
        self.bytes[self.len..]
            .first_chunk_mut()
            .expect("make_room made N bytes")
    }

    #[inline(always)]
    pub(super) fn advance(&mut self, len: usize) {
        self.len += len;
    }

    #[inline(never)]
    fn make_room(&mut self, len: usize) {
        let needed = self.len + len;
        if self.bytes.len() < needed {
            self.bytes.resize((2 * needed).max(4096), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_bytes_are_appended() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for len in (0..200).chain([10_000]) {
            let mut buffer = Buffer::default();
            buffer.push(7);
            buffer.extend_short(&bytes[..len]);
            buffer.extend(b"end");
            assert_eq!(buffer.as_slice(), [&[7], &bytes[..len], b"end"].concat());
            buffer.clear();
            assert!(buffer.as_slice().is_empty());
        }
    }
}
