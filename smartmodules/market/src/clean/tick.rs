//! Parses and checks CoinGecko's coin objects; the payload may be anything.

use std::borrow::Cow;

use super::reject::{Reason, Rejected};
use crate::json::{Text, Value, read_object};
use crate::rows::BACKFILLED;
use crate::time::parse_rfc3339_ms;

/// The longest payload that is parsed.
pub const TICK_BYTES_MAX: usize = 64 * 1024;

/// The longest coin id or symbol: CoinGecko's are below 100 bytes, and every coin costs memory.
const NAME_BYTES_MAX: usize = 256;

/// One price of one coin: the fields of a coin object that are used.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick<'a> {
    /// CoinGecko's id, `bitcoin`.
    pub coin: Cow<'a, str>,
    /// Its ticker symbol, `btc`; the id of a coin that has none, or a blank one.
    pub symbol: Cow<'a, str>,
    /// Time of the price, in milliseconds since the epoch (`last_updated`).
    pub event_time: i64,
    /// In the currency of the source, above 0 (`current_price`).
    pub price: f64,
    /// In the currency of the source (`market_cap`).
    pub market_cap: Option<f64>,
    /// Traded in the last 24 hours, in the currency of the source (`total_volume`).
    pub volume_24h: Option<f64>,
    /// Percent (`price_change_percentage_24h`).
    pub change_24h_pct: Option<f64>,
    /// It was made from the coin's history, after its time.
    pub backfilled: bool,
}

#[derive(Default)]
struct Fields<'a> {
    id: Option<Value<'a>>,
    symbol: Option<Value<'a>>,
    last_updated: Option<Value<'a>>,
    current_price: Option<Value<'a>>,
    market_cap: Option<Value<'a>>,
    total_volume: Option<Value<'a>>,
    price_change_percentage_24h: Option<Value<'a>>,
    backfilled: bool,
}

impl<'a> Tick<'a> {
    /// Parses a coin object, borrowing where it can. If a field comes twice, the last one counts.
    ///
    /// # Errors
    ///
    /// The first of [`Reason::Malformed`], [`Reason::MissingField`] and [`Reason::BadValue`] that applies.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Rejected<'a>> {
        if payload.len() > TICK_BYTES_MAX {
            let detail = format!("{} bytes, {TICK_BYTES_MAX} are allowed", payload.len());
            return Err(Rejected::new(Reason::Malformed, None, detail));
        }
        let mut fields = Fields::default();
        read_object(payload, |name, value| {
            if name == BACKFILLED {
                fields.backfilled = value == Value::Bool(true);
                return;
            }
            // A null field and an absent one mean the same.
            let value = (value != Value::Null).then_some(value);
            match name {
                "id" => fields.id = value,
                "symbol" => fields.symbol = value,
                "last_updated" => fields.last_updated = value,
                "current_price" => fields.current_price = value,
                "market_cap" => fields.market_cap = value,
                "total_volume" => fields.total_volume = value,
                "price_change_percentage_24h" => fields.price_change_percentage_24h = value,
                _ => {}
            }
        })
        .map_err(|error| Rejected::new(Reason::Malformed, None, error.to_string()))?;
        fields.check()
    }
}

impl<'a> Fields<'a> {
    fn check(self) -> Result<Tick<'a>, Rejected<'a>> {
        let coin = self
            .id
            .and_then(Value::text)
            .and_then(Text::decode)
            .filter(|coin| (1..=NAME_BYTES_MAX).contains(&coin.len()));
        let missing = |name: &str| {
            Rejected::new(
                Reason::MissingField,
                coin.clone(),
                format!("{name} is absent or null"),
            )
        };
        let bad = |detail: String| Rejected::new(Reason::BadValue, coin.clone(), detail);

        // Missing fields are reported before bad ones.
        self.id.ok_or_else(|| missing("id"))?;
        let price = self.current_price.ok_or_else(|| missing("current_price"))?;
        let event_time = self.last_updated.ok_or_else(|| missing("last_updated"))?;

        let symbol = match self.symbol {
            None => Ok(None),
            Some(symbol) => symbol
                .text()
                .and_then(Text::decode)
                .filter(|symbol| symbol.len() <= NAME_BYTES_MAX)
                .map(|symbol| Some(symbol).filter(|symbol| !symbol.trim().is_empty()))
                .ok_or_else(|| {
                    bad(format!(
                        "symbol is not a string of at most {NAME_BYTES_MAX} bytes"
                    ))
                }),
        };
        let number = |field: &str, value: Value<'_>| match value.number() {
            Some(number) if number.is_finite() => Ok(number),
            Some(_) => Err(bad(format!("{field} is too large for a number"))),
            None => Err(bad(format!("{field} is not a number"))),
        };
        let optional = |field: &str, value: Option<Value<'_>>| {
            value.map(|value| number(field, value)).transpose()
        };

        let price = number("current_price", price)?;
        if price <= 0.0 {
            return Err(bad(format!("current_price is {price}, not above 0")));
        }
        let market_cap = optional("market_cap", self.market_cap)?;
        let volume_24h = optional("total_volume", self.total_volume)?;
        if let Some(volume) = volume_24h.filter(|volume| *volume < 0.0) {
            return Err(bad(format!("total_volume is {volume}, below 0")));
        }
        let change_24h_pct = optional(
            "price_change_percentage_24h",
            self.price_change_percentage_24h,
        )?;
        let event_time = event_time
            .text()
            .and_then(Text::decode)
            .and_then(|text| parse_rfc3339_ms(&text))
            .ok_or_else(|| bad("last_updated is not an RFC 3339 time".to_owned()))?;
        let symbol = symbol?;
        let coin = coin
            .clone()
            .ok_or_else(|| bad(format!("id is not a string of 1 to {NAME_BYTES_MAX} bytes")))?;
        Ok(Tick {
            symbol: symbol.unwrap_or_else(|| coin.clone()),
            coin,
            event_time,
            price,
            market_cap,
            volume_24h,
            change_24h_pct,
            backfilled: self.backfilled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(changes: &[(&str, &str)]) -> String {
        let mut fields = vec![
            ("id", "\"bitcoin\""),
            ("symbol", "\"btc\""),
            ("name", "\"Bitcoin\""),
            ("current_price", "16730.75"),
            ("market_cap", "322053364166"),
            ("total_volume", "12892500366"),
            ("price_change_percentage_24h", "0.96122"),
            ("roi", "{\"times\":[1,2]}"),
            ("last_updated", "\"2023-01-02T17:08:13.102Z\""),
        ];
        for (name, value) in changes {
            fields.retain(|(field, _)| field != name);
            if !value.is_empty() {
                fields.push((name, value));
            }
        }
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", fields.join(","))
    }

    #[track_caller]
    fn refused(changes: &[(&str, &str)], reason: Reason) -> String {
        let object = object(changes);
        let rejected = Tick::parse(object.as_bytes()).unwrap_err();
        assert_eq!(rejected.reason, reason, "{object}: {}", rejected.detail);
        rejected.detail.into_owned()
    }

    #[test]
    fn a_coin_object_is_parsed() {
        let object = object(&[]);
        let tick = Tick::parse(object.as_bytes()).unwrap();
        assert!(matches!(tick.coin, Cow::Borrowed("bitcoin")));
        assert_eq!(tick.event_time, 1_672_679_293_102);
        assert_eq!(
            (tick.price, tick.market_cap),
            (16730.75, Some(322_053_364_166.0))
        );
        assert_eq!(
            (tick.volume_24h, tick.change_24h_pct),
            (Some(12_892_500_366.0), Some(0.96122))
        );
    }

    #[test]
    fn unusual_and_unknown_fields_are_accepted() {
        let object = object(&[
            ("current_price", "2.2e-7"),
            ("market_cap", "0"),
            ("total_volume", "null"),
            ("price_change_percentage_24h", ""),
            ("new_field", "[{\"a\":[]}]"),
            ("id", "\"bit\\u0063oin\""),
        ]);
        let tick = Tick::parse(object.as_bytes()).unwrap();
        assert_eq!(tick.coin, "bitcoin");
        assert_eq!((tick.price, tick.market_cap), (2.2e-7, Some(0.0)));
        assert_eq!((tick.volume_24h, tick.change_24h_pct), (None, None));
    }

    #[test]
    fn a_coin_without_a_symbol_goes_by_its_id() {
        for symbol in ["", "null", "\"\"", "\" \"", "\"\\t\"", "\"\u{3000}\""] {
            let object = object(&[("symbol", symbol)]);
            let tick = Tick::parse(object.as_bytes()).unwrap();
            assert_eq!(tick.symbol, "bitcoin", "{object}");
        }
        // Odd, but a symbol.
        for symbol in ["$🧲6900", "( ͡° ͜ʖ ͡°)"] {
            let object = object(&[("symbol", &format!("\"{symbol}\""))]);
            assert_eq!(Tick::parse(object.as_bytes()).unwrap().symbol, symbol);
        }
    }

    #[test]
    fn the_last_of_two_equal_fields_counts() {
        let twice = object(&[]).replacen('{', "{\"current_price\":null,\"id\":7,", 1);
        assert_eq!(Tick::parse(twice.as_bytes()).unwrap().price, 16730.75);
    }

    #[test]
    fn reasons_come_in_their_order() {
        use Reason::{BadValue, Malformed, MissingField};
        for name in ["id", "current_price", "last_updated"] {
            assert_eq!(
                refused(&[(name, "")], MissingField),
                format!("{name} is absent or null")
            );
            refused(&[(name, "null"), ("total_volume", "-1")], MissingField);
            refused(&[(name, "{}")], BadValue);
        }
        for price in [
            "0", "-1", "-0.0", "1e-400", "1e999", "\"12\"", "true", "[1]",
        ] {
            refused(&[("current_price", price)], BadValue);
        }
        refused(&[("total_volume", "-0.5")], BadValue);
        refused(&[("market_cap", "1e400")], BadValue);
        refused(&[("last_updated", "\"yesterday\"")], BadValue);
        refused(&[("last_updated", "1672679293102")], BadValue);
        refused(&[("id", "\"\"")], BadValue);
        refused(&[("symbol", "{}")], BadValue);
        refused(&[("symbol", "7")], BadValue);
        refused(&[("symbol", &format!("\"{}\"", "s".repeat(257)))], BadValue);
        refused(&[("id", "\"\\ud800\"")], BadValue);
        refused(&[("current_price", "NaN")], Malformed);
        for text in [
            "",
            "[]",
            "null",
            "{",
            "{\"id\":\"bitcoin\"} x",
            "\u{feff}{}",
        ] {
            assert_eq!(Tick::parse(text.as_bytes()).unwrap_err().reason, Malformed);
        }
    }

    #[test]
    fn a_payload_over_64_kib_is_malformed() {
        let mut object = object(&[]);
        object.push_str(&" ".repeat(TICK_BYTES_MAX - object.len()));
        assert!(Tick::parse(object.as_bytes()).is_ok());
        object.push(' ');
        assert_eq!(
            Tick::parse(object.as_bytes()).unwrap_err().reason,
            Reason::Malformed
        );
    }

    #[test]
    fn a_rejection_names_the_coin() {
        let rejected_object = object(&[("current_price", "null")]);
        let rejected = Tick::parse(rejected_object.as_bytes()).unwrap_err();
        assert_eq!(rejected.coin.as_deref(), Some("bitcoin"));
    }
}
