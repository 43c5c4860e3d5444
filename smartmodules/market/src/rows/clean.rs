//! A row of crypto-clean.

use std::borrow::Cow;

use super::exact::Exact;
use super::fields::{
    BACKFILLED, BACKFILLED_FIELD, EVENT_TIME_MAX, Origin, event_time, finite, is_true, nullable,
};
use crate::json::{ObjectWriter, Value, read_object};
use crate::label;
use crate::record::Output;

/// A clean tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Clean<'a> {
    /// The offset in crypto-raw of the record it was made from; `None` in records of before there was this field.
    pub raw_offset: Option<i64>,
    /// CoinGecko's id.
    pub coin: Cow<'a, str>,
    /// Its ticker symbol.
    pub symbol: Cow<'a, str>,
    /// Time of the price, in milliseconds since the epoch.
    pub event_time: i64,
    /// Time of the fetch, in milliseconds since the epoch; `None` if the raw record had no timestamp.
    pub fetched_at: Option<i64>,
    /// In the currency of the source, above 0.
    pub price: f64,
    /// In the currency of the source.
    pub market_cap: Option<f64>,
    /// Traded in the last 24 hours, in the currency of the source, not below 0.
    pub volume_24h: Option<f64>,
    /// Percent.
    pub change_24h_pct: Option<f64>,
    /// It was made from the coin's history, after its time. Only where it is true has a record the field.
    pub backfilled: bool,
}

/// The fields of a [`Clean`], while a record is read.
#[derive(Default)]
pub(super) struct CleanFields<'a> {
    raw_offset: Option<i64>,
    coin: Option<Cow<'a, str>>,
    symbol: Option<Cow<'a, str>>,
    event_time: Option<i64>,
    fetched_at: Option<i64>,
    price: Option<f64>,
    market_cap: Option<f64>,
    volume_24h: Option<f64>,
    change_24h_pct: Option<f64>,
    backfilled: bool,
}

impl<'a> CleanFields<'a> {
    /// Takes a field of a record; `None` if it is one of these with a value that it must not have.
    #[inline]
    pub(super) fn read(&mut self, name: &str, value: Value<'a>) -> Option<()> {
        match name {
            "raw_offset" => self.raw_offset = nullable(value, Value::integer)?,
            "coin" => self.coin = Some(value.text()?.decode()?),
            "symbol" => self.symbol = Some(value.text()?.decode()?),
            "event_time" => self.event_time = Some(event_time(value)?),
            "fetched_at" => self.fetched_at = nullable(value, Value::integer)?,
            "price" => self.price = Some(finite(value).filter(|price| *price > 0.0)?),
            "market_cap" => self.market_cap = nullable(value, finite)?,
            "volume_24h" => {
                self.volume_24h =
                    nullable(value, |value| finite(value).filter(|volume| *volume >= 0.0))?;
            }
            "change_24h_pct" => self.change_24h_pct = nullable(value, finite)?,
            BACKFILLED => self.backfilled = is_true(value),
            _ => {}
        }
        Some(())
    }

    /// The tick; `None` if a field that every tick has is missing.
    pub(super) fn complete(self) -> Option<Clean<'a>> {
        Some(Clean {
            raw_offset: self.raw_offset,
            coin: self.coin?,
            symbol: self.symbol?,
            event_time: self.event_time?,
            fetched_at: self.fetched_at,
            price: self.price?,
            market_cap: self.market_cap,
            volume_24h: self.volume_24h,
            change_24h_pct: self.change_24h_pct,
            backfilled: self.backfilled,
        })
    }
}

/// A record of crypto-clean.
pub(crate) struct CleanRecord<'a> {
    pub(crate) source_offset: Option<i64>,
    pub(crate) clean: Clean<'a>,
    /// The tick's fields as JSON, if the payload has them exactly as [`Clean::write`] writes them: they can be copied.
    pub(crate) fields: Option<&'a [u8]>,
}

impl<'a> Clean<'a> {
    /// Reads a record of crypto-clean, with fields in any order and among others; `None` for any other record.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        Self::read_record(payload).map(|record| record.clean)
    }

    /// Reads a record with its source offset.
    #[inline(always)]
    pub(crate) fn read_record(payload: &'a [u8]) -> Option<CleanRecord<'a>> {
        if let Some((source_offset, clean, fields)) = Self::read_exactly(payload) {
            return Some(CleanRecord {
                source_offset: Some(source_offset),
                clean,
                fields: Some(fields),
            });
        }
        let (source_offset, clean) = Self::read_generally(payload)?;
        Some(CleanRecord {
            source_offset,
            clean,
            fields: None,
        })
    }

    /// The fast reader: accepts a record exactly as [`Self::write`] writes it. Returns the source offset, the tick, and the
    /// tick's fields as JSON.
    #[inline(always)]
    fn read_exactly(payload: &'a [u8]) -> Option<(i64, Self, &'a [u8])> {
        let mut exact = Exact::new(payload);
        exact.skip(b"{\"source_offset\":")?;
        let source_offset = exact.integer()?;
        exact.skip(b",\"status\":\"accepted\",")?;
        let fields = exact.rest();
        exact.skip(b"\"raw_offset\":")?;
        let raw_offset = exact.nullable(|exact| exact.integer())?;
        exact.skip(b",\"coin\":\"")?;
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
        let backfilled = exact.skip_if(BACKFILLED_FIELD);
        let fields = &fields[..fields.len() - exact.rest().len()];
        let sound = exact.is_at_end()
            && event_time <= EVENT_TIME_MAX
            && price > 0.0
            && volume_24h.is_none_or(|volume| volume >= 0.0);
        let (coin, symbol) = (Cow::Borrowed(coin), Cow::Borrowed(symbol));
        let clean = Self {
            raw_offset,
            coin,
            symbol,
            event_time,
            fetched_at,
            price,
            market_cap,
            volume_24h,
            change_24h_pct,
            backfilled,
        };
        sound.then_some((source_offset, clean, fields))
    }

    /// The general reader: accepts fields in any order and among others.
    pub(crate) fn read_generally(payload: &'a [u8]) -> Option<(Option<i64>, Self)> {
        let mut origin = Origin::default();
        let mut fields = CleanFields::default();
        let mut sound = true;
        read_object(payload, |name, value| {
            origin.read(name, value);
            sound &= fields.read(name, value).is_some();
        })
        .ok()?;
        let clean = fields
            .complete()
            .filter(|_| sound && origin.is("accepted"))?;
        Some((origin.source_offset, clean))
    }

    /// Writes the record of crypto-clean.
    pub(crate) fn write(&self, source_offset: i64, output: &mut Output) {
        output.start(Some(self.coin.as_bytes()));
        let mut object = ObjectWriter::record(&mut output.value, source_offset, "accepted");
        self.write_fields(&mut object);
        object.end();
    }

    pub(super) fn write_fields(&self, object: &mut ObjectWriter<'_>) {
        object.optional_integer(label!("raw_offset"), self.raw_offset);
        object.text(label!("coin"), &self.coin);
        object.text(label!("symbol"), &self.symbol);
        object.integer(label!("event_time"), self.event_time);
        object.optional_integer(label!("fetched_at"), self.fetched_at);
        object.number(label!("price"), self.price);
        object.optional_number(label!("market_cap"), self.market_cap);
        object.optional_number(label!("volume_24h"), self.volume_24h);
        object.optional_number(label!("change_24h_pct"), self.change_24h_pct);
        if self.backfilled {
            object.yes(label!("backfilled"));
        }
    }
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
            raw_offset in prop::option::of(0..10_000_i64),
            coin in prop_oneof![Just("bitcoin".to_owned()), any::<String>()],
            event_time in prop_oneof![0..2_000_000_000_000_i64, any::<i64>()],
            fetched_at in prop::option::of(0..2_000_000_000_000_i64),
            price in number(),
            market_cap in prop::option::of(number()),
            volume_24h in prop::option::of(number()),
            change_24h_pct in prop::option::of(number()),
            backfilled: bool,
        ) -> Clean<'static> {
            let symbol = coin.chars().take(3).collect::<String>().into();
            Clean { raw_offset, coin: coin.into(), symbol, event_time, fetched_at, price, market_cap, volume_24h, change_24h_pct, backfilled }
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases(5_000))]

        #[test]
        fn fast_and_general_reader_agree(
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
            if let Some((offset, exact, fields)) = Clean::read_exactly(&text) {
                let general = Clean::read_generally(&text);
                let shown = String::from_utf8_lossy(&text);
                prop_assert_eq!(Some((Some(offset), exact)), general, "{}", shown);
                let end = [fields, b"}"].concat();
                prop_assert!(text.ends_with(&end));
            }
        }
    }

    #[test]
    fn fast_reader_accepts_what_is_written() {
        let clean = Clean {
            raw_offset: Some(5),
            coin: "bitcoin".into(),
            symbol: "btc".into(),
            event_time: 1_672_679_293_102,
            fetched_at: Some(1_672_679_300_000),
            price: 16730.75,
            market_cap: Some(322_053_364_166.0),
            volume_24h: None,
            change_24h_pct: Some(-0.96122),
            backfilled: false,
        };
        for backfilled in [false, true] {
            let clean = Clean {
                backfilled,
                ..clean.clone()
            };
            let mut output = Output::new();
            clean.write(7, &mut output);
            let text = String::from_utf8(output.value().to_vec()).unwrap();
            assert_eq!(text.contains(BACKFILLED), backfilled, "{text}");
            let (source_offset, exact, _) = Clean::read_exactly(output.value()).unwrap();
            assert_eq!((source_offset, exact), (7, clean));
        }
    }
}
