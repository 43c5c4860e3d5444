//! The fast way to read a record of crypto-clean or crypto-features: just as we write it, to the byte.
//!
//! Whatever differs, however slightly, is left to the general reader; what is read here it would read the same (tests
//! compare the two).

use std::borrow::Cow;

use crate::rows::{Clean, EVENT_TIME_MAX};

/// Powers of ten that a double holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// What is left to read.
pub(crate) struct Exact<'a> {
    rest: &'a [u8],
}

impl<'a> Exact<'a> {
    /// All of it.
    #[inline(always)]
    pub(crate) fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// Whether nothing is left but the object's end.
    #[inline(always)]
    pub(crate) fn is_at_end(&self) -> bool {
        self.rest == b"}"
    }

    /// The source_offset, the tick, and the tick's fields as they are written.
    #[inline(always)]
    pub(crate) fn read(payload: &'a [u8]) -> Option<(i64, Clean<'a>, &'a [u8])> {
        let mut exact = Self::new(payload);
        exact.skip(b"{\"source_offset\":")?;
        let source_offset = exact.integer()?;
        exact.skip(b",\"status\":\"accepted\",")?;
        let fields = exact.rest;
        exact.skip(b"\"coin\":\"")?;
        let coin = exact.text()?;
        exact.skip(b",\"symbol\":\"")?;
        let symbol = exact.text()?;
        exact.skip(b",\"event_time\":")?;
        let event_time = exact.integer()?;
        exact.skip(b",\"fetched_at\":")?;
        let fetched_at = exact.nullable(|exact| exact.integer())?;
        exact.skip(b",\"price\":")?;
        let price = exact.number()?;
        exact.skip(b",\"market_cap\":")?;
        let market_cap = exact.optional_number()?;
        exact.skip(b",\"volume_24h\":")?;
        let volume_24h = exact.optional_number()?;
        exact.skip(b",\"change_24h_pct\":")?;
        let change_24h_pct = exact.optional_number()?;
        let fields = &fields[..fields.len() - exact.rest.len()];
        let sound = exact.is_at_end()
            && event_time <= EVENT_TIME_MAX
            && price > 0.0
            && volume_24h.is_none_or(|volume| volume >= 0.0);
        let (coin, symbol) = (Cow::Borrowed(coin), Cow::Borrowed(symbol));
        let clean = Clean {
            coin,
            symbol,
            event_time,
            fetched_at,
            price,
            market_cap,
            volume_24h,
            change_24h_pct,
        };
        sound.then_some((source_offset, clean, fields))
    }

    #[inline(always)]
    pub(crate) fn skip<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        let (start, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        (start == expected).then_some(())
    }

    /// Of a text whose length is known when this is compiled.
    #[inline(always)]
    pub(crate) fn skip_text(&mut self, expected: &'static str) -> Option<()> {
        let (start, rest) = self.rest.split_at_checked(expected.len())?;
        self.rest = rest;
        (start == expected.as_bytes()).then_some(())
    }

    /// A string without escapes, its opening quote skipped, up to and with its closing one. ASCII only.
    #[inline]
    pub(crate) fn text(&mut self) -> Option<&'a str> {
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

    /// A number as we write them that nobody asks for, or `null`.
    #[inline]
    pub(crate) fn skip_number(&mut self) -> Option<()> {
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

    /// A number as we write them, or `null`.
    #[inline(always)]
    pub(crate) fn optional_number(&mut self) -> Option<Option<f64>> {
        self.nullable(|exact| exact.number())
    }

    /// `null`, or what `read` reads.
    #[inline(always)]
    pub(crate) fn nullable<T>(
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
    pub(crate) fn integer(&mut self) -> Option<i64> {
        let mut number = 0;
        let len = digits(self.rest, &mut number);
        let leading_zero = len > 1 && self.rest[0] == b'0';
        if len == 0 || len > 18 || leading_zero {
            return None;
        }
        self.rest = &self.rest[len..];
        i64::try_from(number).ok()
    }

    /// A number as we write them.
    #[inline]
    pub(crate) fn number(&mut self) -> Option<f64> {
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
            // Both exact, so that their quotient is rounded once: to the nearest double (Clinger 1990).
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
    /// A number that has its exponent at `at`.
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

/// Takes digits from the start of `text` to the end of `number`, and tells how many there were; beyond 19 the number
/// means nothing. Eight at a time where there are as many.
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
        // Neighbours are joined: digits to pairs, pairs to fours, fours to all eight.
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
    use proptest::prelude::*;

    use super::*;
    use crate::record::Output;

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            prop::num::f64::NORMAL,
            (any::<i32>(), 0..12_i32)
                .prop_map(|(digits, decimals)| f64::from(digits) / 10_f64.powi(decimals)),
            (0.0..1e12_f64),
        ]
    }

    prop_compose! {
        fn clean()(
            coin in prop_oneof![Just("bitcoin".to_owned()), any::<String>()],
            event_time in prop_oneof![0..2_000_000_000_000_i64, any::<i64>()],
            fetched_at in prop::option::of(0..2_000_000_000_000_i64),
            price in number(),
            market_cap in prop::option::of(number()),
            volume_24h in prop::option::of(number()),
            change_24h_pct in prop::option::of(number()),
        ) -> Clean<'static> {
            let symbol = coin.chars().take(3).collect::<String>().into();
            Clean { coin: coin.into(), symbol, event_time, fetched_at, price, market_cap, volume_24h, change_24h_pct }
        }
    }

    proptest! {
        #![proptest_config(crate::proptest_config(5_000))]

        #[test]
        fn reads_as_the_general_reader_does(
            clean in clean(),
            source_offset: i64,
            damage in prop::collection::vec(
                (any::<prop::sample::Index>(), prop::sample::select(&b"{}\",:\\0129.eE- \xc3nul"[..]), 0..3u8), 0..3
            ),
        ) {
            let mut output = Output::new();
            clean.write(source_offset, &mut output);
            let mut text = output.value().to_vec();
            for (at, byte, how) in damage {
                let at = at.index(text.len());
                match how {
                    0 => text[at] = byte,
                    1 => text.insert(at, byte),
                    _ => { text.remove(at); }
                }
            }
            if let Some((offset, exact, fields)) = Exact::read(&text) {
                let general = Clean::read_generally(&text);
                let shown = String::from_utf8_lossy(&text);
                prop_assert_eq!(Some((Some(offset), exact)), general, "{}", shown);
                let end = [fields, b"}"].concat();
                prop_assert!(text.ends_with(&end));
            }
        }
    }

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

    #[test]
    fn reads_what_crypto_clean_writes() {
        let clean = Clean {
            coin: "bitcoin".into(),
            symbol: "btc".into(),
            event_time: 1_672_679_293_102,
            fetched_at: Some(1_672_679_300_000),
            price: 16730.75,
            market_cap: Some(322_053_364_166.0),
            volume_24h: None,
            change_24h_pct: Some(-0.96122),
        };
        let mut output = Output::new();
        clean.write(7, &mut output);
        let (source_offset, exact, _) = Exact::read(output.value()).unwrap();
        assert_eq!((source_offset, exact), (7, clean));
    }
}
