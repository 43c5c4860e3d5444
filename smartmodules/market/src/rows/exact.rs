//! A cursor over a record that has exactly the bytes this crate writes.
//!
//! Every method returns `None` at the first byte that differs; the caller then uses the general reader. What is accepted
//! here means the same there: property tests compare the two.

/// Powers of ten that a double holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The bytes that are still to be read.
pub(super) struct Exact<'a> {
    rest: &'a [u8],
}

impl<'a> Exact<'a> {
    /// At the start of a payload.
    #[inline(always)]
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// The bytes that are still to be read.
    #[inline(always)]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether only the object's closing brace is left.
    #[inline(always)]
    pub(super) fn is_at_end(&self) -> bool {
        self.rest == b"}"
    }

    /// Skips these bytes.
    #[inline(always)]
    pub(super) fn skip<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        let (start, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        (start == expected).then_some(())
    }

    /// Skips these bytes where they come next; whether they did.
    #[inline(always)]
    pub(super) fn skip_if<const N: usize>(&mut self, expected: &[u8; N]) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Like [`Self::skip`], for text that a macro puts together.
    #[inline(always)]
    pub(super) fn skip_text(&mut self, expected: &'static str) -> Option<()> {
        let (start, rest) = self.rest.split_at_checked(expected.len())?;
        self.rest = rest;
        (start == expected.as_bytes()).then_some(())
    }

    /// A string without escapes, its opening quote skipped, up to and with its closing one. ASCII only.
    #[inline]
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let mut len = 0;
        loop {
            match *self.rest.get(len)? {
                b'"' => break,
                b' '..=b'[' | b']'..=b'~' => len += 1,
                _ => return None,
            }
        }
        let (text, rest) = self.rest.split_at(len);
        self.rest = &rest[1..];
        // SAFETY: every byte of it is ASCII.
        Some(unsafe { std::str::from_utf8_unchecked(text) })
    }

    /// Skips a number or `null`, without computing its value.
    #[inline]
    pub(super) fn skip_number(&mut self) -> Option<()> {
        let text = self.rest;
        if text.first() == Some(&b'n') {
            return self.skip(b"null");
        }
        let count = |at: usize| text.get(at..).map(|text| digits(text, &mut 0));
        let mut at = usize::from(text.first() == Some(&b'-'));
        let whole_len = count(at)?;
        if whole_len == 0 || whole_len > 1 && text[at] == b'0' {
            return None;
        }
        at += whole_len;
        for (mark, sign) in [(b'.', None), (b'e', Some(&b'-'))] {
            if text.get(at) == Some(&mark) {
                at += 1;
                at += usize::from(sign.is_some() && text.get(at) == sign);
                let len = count(at)?;
                if len == 0 {
                    return None;
                }
                at += len;
            }
        }
        self.rest = &text[at..];
        Some(())
    }

    /// A number, or `null`.
    #[inline(always)]
    pub(super) fn optional_number(&mut self) -> Option<Option<f64>> {
        self.nullable(|exact| exact.number())
    }

    /// A number, or `None` for `null` and where it is not wanted, which skips it.
    #[inline(always)]
    pub(super) fn number_if(&mut self, wanted: bool) -> Option<Option<f64>> {
        if wanted {
            self.optional_number()
        } else {
            self.skip_number().map(|()| None)
        }
    }

    /// `Some(None)` for `null`, else the value that `read` accepts.
    #[inline(always)]
    pub(super) fn nullable<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.rest.first()? {
            b'n' => {
                self.skip(b"null")?;
                Some(None)
            }
            _ => read(self).map(Some),
        }
    }

    /// Up to 18 digits, without sign and without a leading zero.
    #[inline]
    pub(super) fn integer(&mut self) -> Option<i64> {
        let mut number = 0;
        let len = digits(self.rest, &mut number);
        let leading_zero = len > 1 && self.rest[0] == b'0';
        if len == 0 || len > 18 || leading_zero {
            return None;
        }
        self.rest = &self.rest[len..];
        i64::try_from(number).ok()
    }

    /// A number.
    #[inline]
    pub(super) fn number(&mut self) -> Option<f64> {
        let text = self.rest;
        let negative = text.first() == Some(&b'-');
        let mut at = usize::from(negative);
        let mut digits_seen = 0;
        let whole = text.get(at..)?;
        let whole_len = digits(whole, &mut digits_seen);
        if whole_len == 0 || whole_len > 1 && whole[0] == b'0' {
            return None;
        }
        at += whole_len;
        let mut decimals = 0;
        if text.get(at) == Some(&b'.') {
            decimals = digits(&text[at + 1..], &mut digits_seen);
            if decimals == 0 {
                return None;
            }
            at += 1 + decimals;
        }
        let (number, rest) = text.split_at(at);
        match rest.first() {
            Some(b'e') => self.number_with_exponent(at),
            // Both operands are exact, so the quotient is rounded once, to the nearest double (Clinger 1990).
            _ if whole_len + decimals <= 19 && digits_seen < 1 << 53 && decimals < TENS.len() => {
                self.rest = rest;
                let number = digits_seen as f64 / TENS[decimals];
                Some(if negative { -number } else { number })
            }
            _ => {
                self.rest = rest;
                finite(number)
            }
        }
    }
}

impl Exact<'_> {
    /// A number whose exponent begins at `at`.
    #[cold]
    fn number_with_exponent(&mut self, at: usize) -> Option<f64> {
        let sign = usize::from(self.rest.get(at + 1) == Some(&b'-'));
        let digits = self.rest.get(at + 1 + sign..)?;
        let len = digits.iter().position(|byte| !byte.is_ascii_digit())?;
        let (number, rest) = self.rest.split_at(at + 1 + sign + len);
        self.rest = rest;
        finite(number).filter(|_| len > 0)
    }
}

/// Appends the digits at the start of `text` to `number` and returns how many there were. With more than 19 digits the
/// number is meaningless. Reads eight digits at a time where it can.
#[inline(always)]
fn digits(text: &[u8], number: &mut u64) -> usize {
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut len = 0;
    while let Some(eight) = text[len..].first_chunk::<8>() {
        let eight = u64::from_le_bytes(*eight);
        // A byte below '0' borrows into its high bit, one above '9' carries into it.
        let below = eight.wrapping_sub(u64::from_ne_bytes([b'0'; 8]));
        let above = eight.wrapping_add(u64::from_ne_bytes([0x7f - b'9'; 8]));
        if (below | above) & HIGHS != 0 {
            break;
        }
        // Join neighbours: digits to pairs, pairs to fours, fours to all eight.
        let pairs = (below.wrapping_mul(10) + (below >> 8)) & 0x00ff_00ff_00ff_00ff;
        let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
        let all = (fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff;
        *number = number.wrapping_mul(100_000_000).wrapping_add(all);
        len += 8;
    }
    while let Some(digit @ b'0'..=b'9') = text.get(len) {
        *number = number
            .wrapping_mul(10)
            .wrapping_add(u64::from(digit - b'0'));
        len += 1;
    }
    len
}

fn finite(number: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_end_where_they_end() {
        for len in 0..19_usize {
            for end in 0..=255_u8 {
                let mut text = b"1234567890123456789"[..len].to_vec();
                text.push(end);
                text.extend_from_slice(b"98765432109");
                let mut number = 0;
                let seen = digits(&text, &mut number);
                let expected = text
                    .iter()
                    .position(|byte| !byte.is_ascii_digit())
                    .unwrap_or(text.len());
                assert_eq!(seen, expected, "{text:?}");
                if seen <= 19 {
                    let expected = std::str::from_utf8(&text[..seen]).unwrap();
                    assert_eq!(number, expected.parse().unwrap_or(0));
                }
            }
        }
    }
}
