//! The numeric fields of a row by number: what rules compare.

use std::fmt;

use super::windows::WindowFeatures;

/// The numeric fields of the tick itself.
const TICK: [&str; 4] = ["price", "market_cap", "volume_24h", "change_24h_pct"];

/// How many numeric fields a row of features has.
const FIELDS: usize = TICK.len() + WindowFeatures::NAMES.len();

/// A numeric field of a row of features.
///
/// ```
/// use market::Field;
///
/// let field = Field::named("zscore_15m").unwrap();
/// assert_eq!(field.name(), "zscore_15m");
/// assert_eq!(Field::named("symbol"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field(u8);

impl Field {
    /// The price.
    pub(crate) const PRICE: Self = Self(0);
    pub(super) const MARKET_CAP: Self = Self(1);
    pub(super) const VOLUME_24H: Self = Self(2);
    pub(super) const CHANGE_24H_PCT: Self = Self(3);
    /// The price before.
    pub(crate) const PRICE_PREV: Self = Self((TICK.len() + WindowFeatures::PRICE_PREV) as u8);

    /// All of them, in the order of the topic.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..FIELDS as u8).map(Self)
    }

    /// The field of this name.
    pub fn named(name: &str) -> Option<Self> {
        let of_tick = TICK.iter().position(|known| *known == name);
        let of_windows = || WindowFeatures::place(name).map(|place| TICK.len() + place);
        of_tick.or_else(of_windows).map(|place| Self(place as u8))
    }

    /// Its name in topics and in the lake.
    pub fn name(self) -> &'static str {
        let place = self.place();
        TICK.get(place)
            .unwrap_or_else(|| &WindowFeatures::NAMES[place - TICK.len()])
    }

    /// Its place among all fields.
    fn place(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Some of the numeric fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FieldSet(u32);

const _: () = assert!(FIELDS <= 32);

impl FieldSet {
    /// The fields of these names; in a `const`, a name that is none does not compile.
    ///
    /// # Panics
    /// When a name is none.
    pub const fn of(names: &[&str]) -> Self {
        let (mut set, mut at) = (0, 0);
        while at < names.len() {
            set |= 1 << place(names[at]);
            at += 1;
        }
        Self(set)
    }

    pub(crate) fn insert(&mut self, field: Field) {
        self.0 |= 1 << field.0;
    }

    /// The fields of either.
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline(always)]
    pub(crate) fn has(self, field: Field) -> bool {
        self.0 >> field.0 & 1 == 1
    }

    pub(super) fn has_name(self, name: &str) -> bool {
        Field::named(name).is_some_and(|field| self.has(field))
    }

    /// Those of the windows, a bit each by their place among them.
    #[inline(always)]
    pub(super) fn of_windows(self) -> u32 {
        self.0 >> TICK.len()
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Field> {
        Field::all().filter(move |field| self.has(*field))
    }
}

/// A field's place among all, as [`Field::named`] finds it, for a `const`.
const fn place(name: &str) -> usize {
    let mut at = 0;
    while at < FIELDS {
        let known = match at < TICK.len() {
            true => TICK[at],
            false => WindowFeatures::NAMES[at - TICK.len()],
        };
        if is_same(known.as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("there is no such field")
}

const fn is_same(left: &[u8], right: &[u8]) -> bool {
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
}

/// The numeric fields of one row.
#[derive(Debug, Clone, Copy)]
pub struct Numbers([f64; FIELDS]);

impl Default for Numbers {
    /// All of them null.
    fn default() -> Self {
        Self([f64::NAN; FIELDS])
    }
}

impl Numbers {
    #[inline(always)]
    pub(super) fn of_parts(tick: [Option<f64>; TICK.len()], windows: &WindowFeatures) -> Self {
        let mut numbers = [f64::NAN; FIELDS];
        for (to, from) in numbers.iter_mut().zip(tick) {
            *to = from.unwrap_or(f64::NAN);
        }
        numbers[TICK.len()..].copy_from_slice(&windows.numbers());
        Self(numbers)
    }

    /// The field's value; `None` is null.
    pub fn get(&self, field: Field) -> Option<f64> {
        let number = self.or_nan(field);
        (!number.is_nan()).then_some(number)
    }

    /// Sets a field.
    pub fn set(&mut self, field: Field, number: Option<f64>) {
        self.0[field.place()] = number.unwrap_or(f64::NAN);
    }

    /// The field's value; NaN is null.
    #[inline(always)]
    pub(crate) fn or_nan(&self, field: Field) -> f64 {
        self.0[field.place()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_name_and_its_value() {
        for (place, field) in Field::all().enumerate() {
            assert_eq!(field.place(), place);
            assert_eq!(Field::named(field.name()), Some(field));
        }
        assert_eq!(Field::PRICE.name(), "price");
        assert_eq!(Field::PRICE_PREV.name(), "price_prev");
        let windows = WindowFeatures {
            price_prev: Some(2.0),
            samples_15m: Some(3),
            volume_surge: Some(4.0),
            ..WindowFeatures::default()
        };
        let numbers = Numbers::of_parts([Some(1.0), None, Some(0.0), None], &windows);
        let get = |name| numbers.get(Field::named(name).unwrap());
        assert_eq!(get("price"), Some(1.0));
        assert_eq!(get("market_cap"), None);
        assert_eq!(get("volume_24h"), Some(0.0));
        assert_eq!(get("price_prev"), Some(2.0));
        assert_eq!(get("samples_15m"), Some(3.0));
        assert_eq!(get("volume_surge"), Some(4.0));
        assert_eq!(get("features_version"), None);
    }

    #[test]
    fn a_set_knows_its_fields() {
        let mut set = FieldSet::default();
        set.insert(Field::PRICE);
        set.insert(Field::PRICE_PREV);
        assert!(set.has_name("price") && set.has_name("price_prev"));
        assert!(!set.has_name("ma_1m") && !set.has_name("symbol"));
        assert_eq!(FieldSet::of(&["price_prev", "price"]), set);
        assert_eq!(set.iter().count(), 2);
    }
}
