//! Finds the bytes of a string that need escapes.

/// Length of the part of `text` that needs no escapes in a string: up to the first quote, backslash or control character.
/// Looks at eight bytes at a time.
pub(super) fn plain_len(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut len = 0;
    while let Some(eight) = text[len..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        // The classic test for a byte below a bound. It is exact up to the first hit, which is all that matters.
        let hits = (quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash
            | word.wrapping_sub(ONES * 0x20) & !word)
            & HIGHS;
        if hits != 0 {
            return len + hits.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    while let Some(&byte) = text.get(len)
        && byte != b'"'
        && byte != b'\\'
        && byte >= 0x20
    {
        len += 1;
    }
    len
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::property::cases(2_000))]

        #[test]
        fn finds_the_first_special_byte(text in prop::collection::vec(prop_oneof![
            20 => 0x20..=0xffu8, 1 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'\\'),
        ], 0..60)) {
            let naive = text.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20);
            prop_assert_eq!(plain_len(&text), naive.unwrap_or(text.len()));
        }
    }
}
