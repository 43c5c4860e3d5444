//! The shortest decimal that reads back as the same double, fast for the doubles that occur in rows.
//!
//! zmij does it for all doubles, but with 128-bit products, which are slow in a wasm engine. Between about 1e-11 and 4e15 the
//! power of ten that scales a double to sixteen digits fits 64 bits: one product gives all digits without loss. zmij does the
//! rest; a test compares the two.

/// Bits of a scaled double below its point.
const FRACTION_BITS: u32 = 70;

/// Powers of five that fit 64 bits, shifted left as far as they go, and how far that is.
const FIVES: [(u64, u32); 28] = {
    let mut fives = [(0, 0); 28];
    let (mut power, mut n) = (1_u64, 0);
    while n < fives.len() {
        let shift = power.leading_zeros();
        fives[n] = (power << shift, shift);
        power = power.wrapping_mul(5);
        n += 1;
    }
    fives
};

/// The space to write a number in pieces of eight bytes; larger than any number.
pub(super) const NUMBER_ROOM: usize = 56;

/// Writes a finite number as JSON and returns its length.
#[inline(never)]
pub(super) fn write_number(room: &mut [u8; NUMBER_ROOM], number: f64) -> usize {
    room[0] = b'-';
    let sign = usize::from(number.is_sign_negative());
    if let Some(decimal) = Decimal::of(number.abs()) {
        return decimal.write(room, sign);
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(number).as_bytes();
    // A whole number needs no ".0" in JSON.
    let text = text.strip_suffix(b".0").unwrap_or(text);
    room[..text.len()].copy_from_slice(text);
    text.len()
}

/// A number of seventeen digits, sixteen in `digits` and one in `last_digit`, times ten to the power of `exponent`.
struct Decimal {
    digits: u64,
    last_digit: u8,
    exponent: i32,
}

impl Decimal {
    /// `None` for the numbers that zmij writes: zero, powers of two (whose neighbours are not equally far away), very small
    /// and very large ones.
    #[inline]
    fn of(number: f64) -> Option<Self> {
        let bits = number.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let significand = fraction | 1 << 52;
        // number = significand * 2^exponent
        let exponent = (bits >> 52) as i32 - 1075;
        // The unit: the smallest power of ten above the gap between neighbours, 10^-power.
        let power = -((exponent * 315_653) >> 20) - 1;
        let &(five, five_shift) = FIVES.get(usize::try_from(power).ok()?)?;
        let shift = FRACTION_BITS as i32 + exponent + power - five_shift as i32;
        if fraction == 0 || !(0..=11).contains(&shift) {
            return None;
        }

        // number / unit, exactly.
        let scaled = wide_product(significand << shift, five);
        let whole = (scaled >> FRACTION_BITS) as u64;
        let rest = scaled & ((1 << FRACTION_BITS) - 1);
        // Half the gap between neighbours, exactly: a decimal that is nearer reads back as this double, and one that is
        // just as far does so if the significand is even.
        let gap = u128::from((five >> 1) >> (63 - shift)) << 64 | u128::from(five << shift);
        let half_gap = gap >> 1;
        let reach = half_gap + u128::from(significand & 1 == 0);
        // The gap is less than a unit, so at most one multiple of the unit is within reach. Numbers with fewer digits are
        // multiples of the unit, too.
        if rest < reach {
            return Some(Self {
                digits: whole,
                last_digit: 0,
                exponent: -power - 1,
            });
        }
        if (1 << FRACTION_BITS) - rest < reach {
            return Some(Self {
                digits: whole + 1,
                last_digit: 0,
                exponent: -power - 1,
            });
        }
        // The nearest tenth of a unit; the even one of two that are equally near.
        let tenths = ten_times(rest);
        let half = 1 << (FRACTION_BITS - 1);
        let mut last_digit = ((tenths + half) >> FRACTION_BITS) as u8;
        if tenths & ((1 << FRACTION_BITS) - 1) == half {
            last_digit &= !1;
        }
        Some(Self {
            digits: whole,
            last_digit,
            exponent: -power - 1,
        })
    }

    /// Writes it from `start` on, which is 0 or 1, and returns its end.
    #[inline]
    fn write(&self, room: &mut [u8; NUMBER_ROOM], start: usize) -> usize {
        // The digits, one in each byte, the first in the lowest, for a little-endian store.
        let mut high = eight_digits(self.digits / 100_000_000);
        let mut low = eight_digits(self.digits % 100_000_000);
        let mut last = u64::from(self.last_digit);
        // How many digits are before the point.
        let mut point = 17 + self.exponent;
        if high & 0xff == 0 {
            high = high >> 8 | low << 56;
            low = low >> 8 | last << 56;
            last = 0;
            point -= 1;
        }
        let len = if last != 0 {
            17
        } else if low != 0 {
            16 - low.leading_zeros() as usize / 8
        } else {
            8 - high.leading_zeros() as usize / 8
        };

        let mut first = start & 1;
        if (-4..=0).contains(&point) {
            room[first..][..8].copy_from_slice(b"0.000000");
            first += 2 + point.unsigned_abs() as usize;
        }
        let digits: &mut [u8; 40] = room[first & 7..]
            .first_chunk_mut()
            .expect("7 + 40 are below 56");
        for (eight, to) in [high, low, last, 0, 0]
            .into_iter()
            .zip(digits.as_chunks_mut::<8>().0)
        {
            *to = (eight | ZEROS).to_le_bytes();
        }
        let len = match point {
            1..=16 if len <= point as usize => point as usize,
            1..=16 => {
                put_point(digits, point as usize);
                len + 1
            }
            -4..=0 => len,
            _ => {
                let mut end = len;
                if len > 1 {
                    put_point(digits, 1);
                    end += 1;
                }
                // From 1e-11 to below 1e-5.
                let exponent = (1 - point) as u8;
                let tail = if exponent < 10 {
                    [b'e', b'-', b'0' + exponent, 0]
                } else {
                    [b'e', b'-', b'1', b'0' + exponent % 10]
                };
                digits[end..][..4].copy_from_slice(&tail);
                end + 3 + usize::from(exponent >= 10)
            }
        };
        first + len
    }
}

pub(super) const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);

/// Inserts a point among digits. Digits beyond the next sixteen are lost.
#[inline(always)]
fn put_point(digits: &mut [u8; 40], place: usize) {
    let after: &mut [u8; 24] = digits[place & 31..]
        .first_chunk_mut()
        .expect("the place is at most 16");
    let [a, b, _] = after.as_chunks_mut::<8>().0 else {
        return;
    };
    let (x, y) = (u64::from_le_bytes(*a), u64::from_le_bytes(*b));
    *a = (u64::from(b'.') | x << 8).to_le_bytes();
    *b = (x >> 56 | y << 8).to_le_bytes();
    after[16] = (y >> 56) as u8;
}

/// Ten times a number of up to 124 bits, without a 128-bit product.
#[inline]
fn ten_times(number: u128) -> u128 {
    let (high, low) = ((number >> 64) as u64, number as u64);
    let low_half = (low & u64::from(u32::MAX)) * 10;
    let high_half = (low >> 32) * 10 + (low_half >> 32);
    let high = high * 10 + (high_half >> 32);
    u128::from(high) << 64 | u128::from(high_half << 32 | low_half & u64::from(u32::MAX))
}

/// Eight digits, one in each byte, the first in the lowest. Splits 8 digits into 4 + 4, 2 + 2 and 1 + 1, all parts at once.
/// A part n with high half q becomes q below n - 100 q by one product: (n << 16) - q * ((100 << 16) - 1).
#[inline]
pub(super) fn eight_digits(number: u64) -> u64 {
    let high = (number * 109_951_163) >> 40;
    let fours = (number << 32).wrapping_sub(high.wrapping_mul((10_000 << 32) - 1));
    // For numbers below 10,000, 10,486 / 2^20 rounds like 1 / 100.
    let high = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = (fours << 16).wrapping_sub(high.wrapping_mul((100 << 16) - 1));
    let high = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    (twos << 8).wrapping_sub(high.wrapping_mul((10 << 8) - 1))
}

/// The product of two 64-bit numbers, from their halves.
#[inline]
fn wide_product(a: u64, b: u64) -> u128 {
    const LOW: u64 = u32::MAX as u64;
    let (a_high, a_low, b_high, b_low) = (a >> 32, a & LOW, b >> 32, b & LOW);
    let low = a_low * b_low;
    let middle = a_high * b_low + (low >> 32);
    let other_middle = a_low * b_high + (middle & LOW);
    let high = a_high * b_high + (middle >> 32) + (other_middle >> 32);
    u128::from(high) << 64 | u128::from(other_middle << 32 | low & LOW)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(number: f64) {
        let mut room = [b'x'; NUMBER_ROOM];
        let len = write_number(&mut room, number);
        let out = room[..len].to_vec();
        let mut buffer = zmij::Buffer::new();
        let expected = buffer.format_finite(number);
        let expected = expected.strip_suffix(".0").unwrap_or(expected);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn numbers_are_written_as_zmij_does() {
        for number in [
            0.0,
            -0.0,
            1.0,
            1.5,
            0.1,
            0.3,
            2.2e-7,
            1e-5,
            9.999e-6,
            1.2e-4,
            1e-11,
            123_456.789,
            1e15,
            1e16,
            1e17,
            1e22,
            9_007_199_254_740_991.0,
            9_007_199_254_740_993.0,
            4_503_599_627_370_497.5,
            322_053_364_166.0,
            5e-324,
            f64::MAX,
            f64::MIN_POSITIVE,
            0.000_012_5,
            100.0,
            0.999_999_999_999_999_9,
            9.999_999_999_999_999e-6,
        ] {
            check(number);
            check(-number);
        }
        for digits in 0..200_000_u32 {
            check(f64::from(digits) / 100.0);
            check(f64::from(digits) / 1e7);
            check(f64::from(digits) * 1e9 + 0.5);
        }
    }

    #[test]
    fn powers_and_their_neighbours_are_written_as_zmij_does() {
        // Powers of two and ten, and their neighbours: where intervals change.
        for exponent in -1074..1024 {
            let power = 2_f64.powi(exponent);
            for number in [power, power.next_up(), power.next_down()] {
                check(number);
            }
        }
        for exponent in -30..30 {
            let power: f64 = format!("1e{exponent}").parse().unwrap();
            for number in [
                power,
                power.next_up(),
                power.next_down(),
                power * 5.0,
                power * 2.5,
            ] {
                check(number);
            }
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases(200_000))]

        #[test]
        fn any_number_is_written_as_zmij_does(
            exponent in -40..55_i32,
            fraction in 0..1_u64 << 52,
            any in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL,
            digits in 0..1_u64 << 53,
            decimals in 0..16,
        ) {
            check(f64::from_bits(((exponent + 1023) as u64) << 52 | fraction));
            check(any);
            check(digits as f64 / 10_f64.powi(decimals));
            check((digits >> 20) as f64 / 10_f64.powi(decimals));
        }

        #[test]
        fn products_of_halves_are_exact(a: u64, b: u64, c in 0..1_u128 << 124) {
            prop_assert_eq!(ten_times(c), c * 10);
            prop_assert_eq!(wide_product(a, b), u128::from(a) * u128::from(b));
        }
    }
}
