//! A row of crypto-features.

use std::borrow::Cow;

use super::clean::{Clean, CleanFields};
use super::exact::Exact;
use super::fields::{
    BACKFILLED, BACKFILLED_FIELD, EVENT_TIME_MAX, Origin, event_time, finite, is_true, nullable,
};
use super::numbers::{Field, FieldSet, Numbers};
use super::windows::WindowFeatures;
use crate::json::{ObjectWriter, Text, Value, read_object};
use crate::record::Output;

/// A row of features: a clean tick, and the features of the windows that end at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Features<'a> {
    /// The tick itself.
    pub clean: Clean<'a>,
    /// The features of its windows.
    pub windows: WindowFeatures,
}

/// The fields of a crypto-features record that its readers need: the fastest way to read one.
///
/// ```
/// use market::{FeaturesRecord, FieldSet};
///
/// let record = br#"{"source_offset":7,"status":"features","coin":"bitcoin","event_time":1672679293102,"price":16730.75,"ma_5m":16700}"#;
/// const SHOWN: FieldSet = FieldSet::of(&["ma_5m"]);
/// let row = FeaturesRecord::read(record, SHOWN).unwrap();
/// assert_eq!((&*row.coin, row.windows.ma_5m), ("bitcoin", Some(16_700.0)));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FeaturesRecord<'a> {
    /// The offset in crypto-clean of the record it was made from.
    pub source_offset: Option<i64>,
    /// The offset in crypto-raw of the reply it goes back to.
    pub raw_offset: Option<i64>,
    /// The coin's id.
    pub coin: Cow<'a, str>,
    /// The coin's symbol.
    pub symbol: Option<Cow<'a, str>>,
    /// Milliseconds since the epoch.
    pub event_time: i64,
    /// In the currency of the source.
    pub price: f64,
    /// In the currency of the source.
    pub market_cap: Option<f64>,
    /// In the currency of the source.
    pub volume_24h: Option<f64>,
    /// Percent.
    pub change_24h_pct: Option<f64>,
    /// The tick is from the coin's history.
    pub backfilled: bool,
    /// The features of the windows that end at the tick.
    pub windows: WindowFeatures,
}

impl<'a> FeaturesRecord<'a> {
    /// Reads a record, and of its numbers but the price only the wanted ones. `None` for any other record.
    #[inline(always)]
    pub fn read(payload: &'a [u8], wanted: FieldSet) -> Option<Self> {
        Self::read_exactly(payload, wanted).or_else(|| Self::read_generally(payload, wanted))
    }

    /// The fast reader: accepts a record exactly as [`Features::write`] writes it.
    #[inline(always)]
    pub(crate) fn read_exactly(payload: &'a [u8], wanted: FieldSet) -> Option<Self> {
        let mut exact = Exact::new(payload);
        exact.skip(b"{\"source_offset\":")?;
        let source_offset = exact.integer()?;
        exact.skip(b",\"status\":\"features\",\"raw_offset\":")?;
        let raw_offset = exact.nullable(|exact| exact.integer())?;
        exact.skip(b",\"coin\":\"")?;
        let coin = exact.text()?;
        exact.skip(b",\"symbol\":\"")?;
        let symbol = exact.text()?;
        exact.skip(b",\"event_time\":")?;
        let event_time = exact.integer()?;
        exact.skip(b",\"fetched_at\":")?;
        exact.skip_number()?;
        exact.skip(b",\"price\":")?;
        let price = exact.number()?;
        exact.skip(b",\"market_cap\":")?;
        let market_cap = exact.number_if(wanted.has(Field::MARKET_CAP))?;
        exact.skip(b",\"volume_24h\":")?;
        let volume_24h = exact.number_if(wanted.has(Field::VOLUME_24H))?;
        exact.skip(b",\"change_24h_pct\":")?;
        let change_24h_pct = exact.number_if(wanted.has(Field::CHANGE_24H_PCT))?;
        let backfilled = exact.skip_if(BACKFILLED_FIELD);
        let windows = WindowFeatures::read_exactly(&mut exact, wanted.of_windows())?;
        let sound = exact.is_at_end() && event_time <= EVENT_TIME_MAX;
        sound.then_some(Self {
            source_offset: Some(source_offset),
            raw_offset,
            coin: Cow::Borrowed(coin),
            symbol: Some(Cow::Borrowed(symbol)),
            event_time,
            price,
            market_cap,
            volume_24h,
            change_24h_pct,
            backfilled,
            windows,
        })
    }

    /// The general reader: accepts fields in any order and among others.
    pub(crate) fn read_generally(payload: &'a [u8], wanted: FieldSet) -> Option<Self> {
        let mut origin = Origin::default();
        let (mut coin, mut symbol, mut time, mut price) = (None, None, None, None);
        let (mut market_cap, mut volume_24h, mut change_24h_pct) = (None, None, None);
        let (mut raw_offset, mut backfilled) = (None, false);
        let mut windows = WindowFeatures::default();
        let mut sound = true;
        read_object(payload, |name, value: Value<'a>| {
            origin.read(name, value);
            match name {
                "coin" => coin = value.text().and_then(Text::decode),
                "symbol" => symbol = value.text().and_then(Text::decode),
                "event_time" => time = event_time(value),
                "price" => price = finite(value),
                BACKFILLED => backfilled = is_true(value),
                "raw_offset" => match nullable(value, Value::integer) {
                    Some(read) => raw_offset = read,
                    None => sound = false,
                },
                name if wanted.has_name(name) => {
                    let number = match name {
                        "market_cap" => &mut market_cap,
                        "volume_24h" => &mut volume_24h,
                        "change_24h_pct" => &mut change_24h_pct,
                        _ => {
                            sound &= windows.read(name, value).is_some();
                            return;
                        }
                    };
                    match nullable(value, finite) {
                        Some(read) => *number = read,
                        None => sound = false,
                    }
                }
                _ => {}
            }
        })
        .ok()?;
        (sound && origin.is("features")).then_some(())?;
        Some(Self {
            source_offset: origin.source_offset,
            raw_offset,
            coin: coin?,
            symbol,
            event_time: time?,
            price: price?,
            market_cap,
            volume_24h,
            change_24h_pct,
            backfilled,
            windows,
        })
    }

    /// The numbers that were read; those that were not are NaN.
    #[inline(always)]
    pub(crate) fn numbers(&self) -> Numbers {
        let tick = [
            Some(self.price),
            self.market_cap,
            self.volume_24h,
            self.change_24h_pct,
        ];
        Numbers::of_parts(tick, &self.windows)
    }
}

impl<'a> Features<'a> {
    /// Reads a record of crypto-features, with fields in any order and among others; `None` for any other record.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let mut origin = Origin::default();
        let mut fields = CleanFields::default();
        let mut windows = WindowFeatures::default();
        let mut sound = true;
        read_object(payload, |name, value| {
            origin.read(name, value);
            sound &= fields.read(name, value).is_some() && windows.read(name, value).is_some();
        })
        .ok()?;
        let clean = fields
            .complete()
            .filter(|_| sound && origin.is("features"))?;
        Some(Self { clean, windows })
    }

    /// The row's numeric fields.
    pub fn numbers(&self) -> Numbers {
        let clean = &self.clean;
        let tick = [
            Some(clean.price),
            clean.market_cap,
            clean.volume_24h,
            clean.change_24h_pct,
        ];
        Numbers::of_parts(tick, &self.windows)
    }

    /// Writes the record. `clean_fields` are the tick's fields as JSON, where they can be copied from the input.
    #[inline(always)]
    pub(crate) fn write(
        &self,
        source_offset: i64,
        clean_fields: Option<&[u8]>,
        output: &mut Output,
    ) {
        output.start(Some(self.clean.coin.as_bytes()));
        let mut object = ObjectWriter::record(&mut output.value, source_offset, "features");
        match clean_fields {
            Some(fields) => object.fields(fields),
            None => self.clean.write_fields(&mut object),
        }
        self.windows.write(&mut object);
        object.end();
    }
}
