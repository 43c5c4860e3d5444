//! Fluvio's encoding: big-endian integers, zigzag varints, length-prefixed bytes.

/// The input ends too early, or a length in it is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Truncated;

/// A cursor over encoded bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Truncated> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Truncated> {
        let (&byte, rest) = self.rest.split_first().ok_or(Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Truncated> {
        self.array().map(i64::from_be_bytes)
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Result<i64, Truncated> {
        let mut number = 0_u64;
        let mut shift = 0;
        loop {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                // Zigzag.
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
            shift += 7;
        }
    }

    /// Bytes, after their length as a varint.
    #[inline(always)]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Truncated> {
        let len = usize::try_from(self.varint()?).map_err(|_| Truncated)?;
        self.take(len)
    }

    /// A string, after its length in two bytes.
    fn string(&mut self) -> Result<String, Truncated> {
        let len = self.u16()?;
        Ok(String::from_utf8_lossy(self.take(usize::from(len))?).into_owned())
    }
}

/// The parameters that `init` gets; the bytes after them are not needed.
pub(crate) fn read_params(reader: &mut Reader<'_>) -> Result<Vec<(String, String)>, Truncated> {
    let count = reader.u16()?;
    (0..count)
        .map(|_| Ok((reader.string()?, reader.string()?)))
        .collect()
}

/// A string, after its length. Cut to the length that Fluvio can read: a signed number of 16 bits.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    let text = &text.as_bytes()[..text.floor_char_boundary(i16::MAX as usize)];
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text);
}

/// A record: length, preamble, key, value, no headers.
#[inline]
pub(crate) fn write_record(out: &mut Vec<u8>, preamble: &[u8], key: Option<&[u8]>, value: &[u8]) {
    let key_len = key.map_or(0, |key| varint_len(key.len()) + key.len());
    let len = preamble.len() + 1 + key_len + varint_len(value.len()) + value.len() + 1;
    out.reserve(varint_len(len) + len);
    write_len(out, len);
    extend_short(out, preamble);
    match key {
        None => out.push(0),
        Some(key) => {
            out.push(1);
            write_len(out, key.len());
            extend_short(out, key);
        }
    }
    write_len(out, value.len());
    out.extend_from_slice(value);
    out.push(0);
}

/// Appends what is likely few bytes: eight at a time, the last eight may overlap those before. A copy of variable length
/// would be a call out of the module, which costs more.
#[inline]
fn extend_short(out: &mut Vec<u8>, bytes: &[u8]) {
    let last = match bytes.last_chunk::<8>() {
        Some(last) if bytes.len() <= 64 => last,
        Some(_) => return out.extend_from_slice(bytes),
        None => {
            for byte in bytes {
                out.push(*byte);
            }
            return;
        }
    };
    let end = out.len() + bytes.len();
    for eight in bytes.as_chunks::<8>().0 {
        out.extend_from_slice(eight);
    }
    out.truncate(end - 8);
    out.extend_from_slice(last);
}

/// A length as a zigzag varint.
#[inline]
fn write_len(out: &mut Vec<u8>, len: usize) {
    let mut number = (len as u64) << 1;
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[inline]
fn varint_len(len: usize) -> usize {
    let mut number = (len as u64) << 1;
    let mut bytes = 1;
    while number >= 0x80 {
        number >>= 7;
        bytes += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_encoded_as_in_fluvio() {
        // From a test of fluvio-protocol.
        for (number, bytes) in [
            (0, &[0x00][..]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (63, &[0x7e]),
            (7, &[14]),
            (10, &[0x14]),
            (8191, &[0xfe, 0x7f]),
            (-134_217_729, &[0x81, 0x80, 0x80, 0x80, 0x01]),
        ] {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.varint(), Ok(number));
            assert!(reader.rest().is_empty());
            if let Ok(len) = usize::try_from(number) {
                let mut out = Vec::new();
                write_len(&mut out, len);
                assert_eq!(out, bytes);
                assert_eq!(varint_len(len), bytes.len());
            }
        }
    }

    #[test]
    fn short_and_long_bytes_are_appended() {
        let bytes: Vec<u8> = (0..200).collect();
        for len in 0..bytes.len() {
            let mut out = vec![7; 3];
            extend_short(&mut out, &bytes[..len]);
            assert_eq!(out, [&[7; 3], &bytes[..len]].concat());
        }
    }

    #[test]
    fn an_endless_varint_is_refused() {
        assert_eq!(Reader::new(&[0xff; 100]).varint(), Err(Truncated));
        assert!(
            Reader::new(&[[0xff; 20].as_slice(), &[0]].concat())
                .varint()
                .is_ok()
        );
    }
}
