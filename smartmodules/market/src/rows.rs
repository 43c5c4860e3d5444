//! The rows of crypto-clean and crypto-features, and how topics hold them.

use std::borrow::Cow;

use crate::exact::Exact;
use crate::json::{ObjectWriter, Text, Value, read_object};
use crate::label;
use crate::record::Output;

/// Times beyond the year 9999 are not ours; within it no sum of times overflows.
pub(crate) const EVENT_TIME_MAX: i64 = 253_402_300_799_999;

/// A clean tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Clean<'a> {
    /// CoinGecko's id.
    pub coin: Cow<'a, str>,
    /// Its ticker symbol.
    pub symbol: Cow<'a, str>,
    /// When the price was this, in milliseconds since the epoch.
    pub event_time: i64,
    /// When it was fetched, in milliseconds since the epoch.
    pub fetched_at: Option<i64>,
    /// USD, above 0.
    pub price: f64,
    /// USD.
    pub market_cap: Option<f64>,
    /// USD traded in the last 24 hours, not below 0.
    pub volume_24h: Option<f64>,
    /// Percent.
    pub change_24h_pct: Option<f64>,
}

/// A row of features: a clean tick and what the windows before it say.
#[derive(Debug, Clone, PartialEq)]
pub struct Features<'a> {
    /// The tick.
    pub clean: Clean<'a>,
    /// The windows.
    pub windows: WindowFeatures,
}

macro_rules! window_features {
    ($($(#[$doc:meta])* $name:ident: $kind:ident,)*) => {
        /// What the windows that end at a tick say; `None` where nothing can be said. With the default, all `None`,
        /// a tick is answered that came later than is allowed.
        #[derive(Debug, Clone, Copy, Default, PartialEq)]
        pub struct WindowFeatures {
            $($(#[$doc])* pub $name: Option<window_features!(@type $kind)>,)*
        }

        impl WindowFeatures {
            /// Takes a field of a record; `None` if it is one of ours and not what it should be.
            pub(crate) fn read(&mut self, name: &str, value: Value<'_>) -> Option<()> {
                match name {
                    $(stringify!($name) => self.$name = nullable(value, window_features!(@read $kind))?,)*
                    _ => {}
                }
                Some(())
            }

            /// Reads them as they are written. Those that `wanted` does not name are skipped.
            #[inline(always)]
            fn read_exactly(exact: &mut Exact<'_>, wanted: impl Fn(&str) -> bool) -> Option<Self> {
                let mut windows = Self::default();
                $(
                    exact.skip_text(concat!(",\"", stringify!($name), "\":"))?;
                    if wanted(stringify!($name)) {
                        windows.$name = window_features!(@exact $kind, exact);
                    } else {
                        exact.skip_number()?;
                    }
                )*
                Some(windows)
            }

            #[inline]
            fn write(&self, object: &mut ObjectWriter<'_>) {
                $(window_features!(@write $kind, object, label!(stringify!($name)), self.$name);)*
            }
        }
    };
    (@type number) => { f64 };
    (@type count) => { u32 };
    (@read number) => { finite };
    (@read count) => { |value: Value<'_>| u32::try_from(value.integer()?).ok() };
    (@exact number, $exact:ident) => { $exact.optional_number()? };
    (@exact count, $exact:ident) => {
        $exact.nullable(|exact| u32::try_from(exact.integer()?).ok())?
    };
    (@write number, $object:ident, $label:expr, $value:expr) => { $object.optional_number($label, $value) };
    (@write count, $object:ident, $label:expr, $value:expr) => {
        $object.optional_integer($label, $value.map(i64::from))
    };
}

window_features! {
    /// Mean price over the last minute.
    ma_1m: number,
    /// Mean price over the last 5 minutes.
    ma_5m: number,
    /// Mean price over the last 15 minutes.
    ma_15m: number,
    /// Ticks in the last minute.
    samples_1m: count,
    /// Ticks in the last 5 minutes.
    samples_5m: count,
    /// Ticks in the last 15 minutes.
    samples_15m: count,
    /// ln(price / the price before).
    log_return: number,
    /// Sample standard deviation of log_return over the last minute.
    volatility_1m: number,
    /// Sample standard deviation of log_return over the last 5 minutes.
    volatility_5m: number,
    /// Sample standard deviation of log_return over the last 15 minutes.
    volatility_15m: number,
    /// Price now by the price a minute ago, less 1.
    return_1m: number,
    /// Price now by the price 5 minutes ago, less 1.
    return_5m: number,
    /// Price now by the price 15 minutes ago, less 1.
    return_15m: number,
    /// How many standard deviations the price is from the mean of the 15 minutes before it.
    zscore_15m: number,
    /// Mean 24-hour volume over the last 15 minutes.
    volume_ma_15m: number,
    /// 24-hour volume by its mean over the 15 minutes before.
    volume_ratio: number,
    /// Volume since the tick before by what that time sees on the daily average.
    volume_surge: number,
}

/// What every record of a derived topic says first.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Origin<'a> {
    /// The offset of the record it was made from.
    pub(crate) source_offset: Option<i64>,
    /// What it is.
    pub(crate) status: Option<Text<'a>>,
}

impl<'a> Origin<'a> {
    #[inline]
    pub(crate) fn read(&mut self, name: &str, value: Value<'a>) {
        match name {
            "source_offset" => self.source_offset = value.integer(),
            "status" => self.status = value.text(),
            _ => {}
        }
    }

    /// Whether it is of that status, or doesn't say: somebody else's records may not.
    pub(crate) fn is(&self, status: &str) -> bool {
        self.status.is_none_or(|given| given.is(status))
    }
}

#[derive(Default)]
struct CleanFields<'a> {
    coin: Option<Cow<'a, str>>,
    symbol: Option<Cow<'a, str>>,
    event_time: Option<i64>,
    fetched_at: Option<i64>,
    price: Option<f64>,
    market_cap: Option<f64>,
    volume_24h: Option<f64>,
    change_24h_pct: Option<f64>,
}

impl<'a> CleanFields<'a> {
    /// Takes a field of a record; `None` if it is one of ours and not what it should be.
    #[inline]
    fn read(&mut self, name: &str, value: Value<'a>) -> Option<()> {
        match name {
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
            _ => {}
        }
        Some(())
    }

    fn complete(self) -> Option<Clean<'a>> {
        Some(Clean {
            coin: self.coin?,
            symbol: self.symbol?,
            event_time: self.event_time?,
            fetched_at: self.fetched_at,
            price: self.price?,
            market_cap: self.market_cap,
            volume_24h: self.volume_24h,
            change_24h_pct: self.change_24h_pct,
        })
    }
}

/// A record of crypto-clean.
pub(crate) struct CleanRecord<'a> {
    pub(crate) source_offset: Option<i64>,
    pub(crate) clean: Clean<'a>,
    /// The tick's fields as they stand in the payload, if they stand there the way we write them: to be copied.
    pub(crate) fields: Option<&'a [u8]>,
}

impl<'a> Clean<'a> {
    /// Reads a record of crypto-clean, its fields in any order and among others; `None` if it is no such record.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        Self::read_record(payload).map(|record| record.clean)
    }

    /// Reads a record and what it says about itself.
    #[inline(always)]
    pub(crate) fn read_record(payload: &'a [u8]) -> Option<CleanRecord<'a>> {
        if let Some((source_offset, clean, fields)) = Exact::read(payload) {
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

    /// Reads a record with its fields in any order and among others.
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

    fn write_fields(&self, object: &mut ObjectWriter<'_>) {
        object.text(label!("coin"), &self.coin);
        object.text(label!("symbol"), &self.symbol);
        object.integer(label!("event_time"), self.event_time);
        object.optional_integer(label!("fetched_at"), self.fetched_at);
        object.number(label!("price"), self.price);
        object.optional_number(label!("market_cap"), self.market_cap);
        object.optional_number(label!("volume_24h"), self.volume_24h);
        object.optional_number(label!("change_24h_pct"), self.change_24h_pct);
    }
}

/// What those who read crypto-features need of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FeaturesRecord<'a> {
    pub(crate) source_offset: Option<i64>,
    pub(crate) coin: Cow<'a, str>,
    pub(crate) symbol: Option<Cow<'a, str>>,
    pub(crate) event_time: i64,
    pub(crate) price: f64,
    pub(crate) windows: WindowFeatures,
}

impl<'a> FeaturesRecord<'a> {
    /// Reads a record; of the windows only what `wanted` names. `None` if it is no such record.
    #[inline(always)]
    pub(crate) fn read(payload: &'a [u8], wanted: impl Fn(&str) -> bool) -> Option<Self> {
        Self::read_exactly(payload, &wanted).or_else(|| Self::read_generally(payload, wanted))
    }

    /// Reads a record as crypto-features writes it.
    #[inline(always)]
    pub(crate) fn read_exactly(payload: &'a [u8], wanted: impl Fn(&str) -> bool) -> Option<Self> {
        let mut exact = Exact::new(payload);
        exact.skip(b"{\"source_offset\":")?;
        let source_offset = exact.integer()?;
        exact.skip(b",\"status\":\"features\",\"coin\":\"")?;
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
        exact.skip_number()?;
        exact.skip(b",\"volume_24h\":")?;
        exact.skip_number()?;
        exact.skip(b",\"change_24h_pct\":")?;
        exact.skip_number()?;
        let windows = WindowFeatures::read_exactly(&mut exact, wanted)?;
        let sound = exact.is_at_end() && event_time <= EVENT_TIME_MAX;
        sound.then_some(Self {
            source_offset: Some(source_offset),
            coin: Cow::Borrowed(coin),
            symbol: Some(Cow::Borrowed(symbol)),
            event_time,
            price,
            windows,
        })
    }

    /// Reads a record with its fields in any order and among others.
    pub(crate) fn read_generally(payload: &'a [u8], wanted: impl Fn(&str) -> bool) -> Option<Self> {
        let mut origin = Origin::default();
        let (mut coin, mut symbol, mut time, mut price) = (None, None, None, None);
        let mut windows = WindowFeatures::default();
        let mut sound = true;
        read_object(payload, |name, value: Value<'a>| {
            origin.read(name, value);
            match name {
                "coin" => coin = value.text().and_then(Text::decode),
                "symbol" => symbol = value.text().and_then(Text::decode),
                "event_time" => time = event_time(value),
                "price" => price = finite(value),
                name if wanted(name) => sound &= windows.read(name, value).is_some(),
                _ => {}
            }
        })
        .ok()?;
        (sound && origin.is("features")).then_some(())?;
        Some(Self {
            source_offset: origin.source_offset,
            coin: coin?,
            symbol,
            event_time: time?,
            price: price?,
            windows,
        })
    }
}

impl<'a> Features<'a> {
    /// Reads a record of crypto-features, its fields in any order and among others; `None` if it is no such record.
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

    /// Writes the record of crypto-features; the tick's fields may be written already.
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

/// A finite number.
pub(crate) fn finite(value: Value<'_>) -> Option<f64> {
    value.number().filter(|number| number.is_finite())
}

/// A time that can be reckoned with.
pub(crate) fn event_time(value: Value<'_>) -> Option<i64> {
    value
        .integer()
        .filter(|time| (-EVENT_TIME_MAX..=EVENT_TIME_MAX).contains(time))
}

/// `Some(None)` for null; `None` for what `read` makes nothing of.
pub(crate) fn nullable<'a, T>(
    value: Value<'a>,
    read: impl FnOnce(Value<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match value {
        Value::Null => Some(None),
        value => read(value).map(Some),
    }
}
