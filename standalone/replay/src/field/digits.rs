//! How many digits of a price CoinGecko shows without `precision=full`.

/// A price with the digits that CoinGecko shows without `precision`: whole USD from 50,000, two decimals from 1.1, three
/// from 1, six from 0.05, then 8, 12 and 18.
pub fn default_digits(price: f64) -> f64 {
    let decimals = match price.abs() {
        50_000.0.. => 0,
        1.1.. => 2,
        1.0.. => 3,
        0.05.. => 6,
        1e-6.. => 8,
        1e-12.. => 12,
        _ => 18,
    };
    with_decimals(price, decimals)
}

fn with_decimals(price: f64, decimals: usize) -> f64 {
    // Through the text, so that the shortest decimal has no more digits than these.
    format!("{price:.decimals$}").parse().unwrap_or(price)
}

const ROUNDED: [&str; 3] = ["\"current_price\":", "\"high_24h\":", "\"low_24h\":"];

/// Appends a coin's object with so many decimals in its prices, or with the default digits.
pub(crate) fn rounded(object: &[u8], decimals: Option<u8>, json: &mut Vec<u8>) {
    let Ok(mut rest) = std::str::from_utf8(object) else {
        return json.extend_from_slice(object);
    };
    let round = |price| match decimals {
        Some(decimals) => with_decimals(price, decimals.into()),
        None => default_digits(price),
    };
    for name in ROUNDED {
        let Some(at) = rest.find(name) else { continue };
        let (before, value) = rest.split_at(at + name.len());
        json.extend_from_slice(before.as_bytes());
        let end = value.find([',', '}']).unwrap_or(value.len());
        let (number, after) = value.split_at(end);
        match number.parse::<f64>() {
            Ok(price) => super::object::price(json, Some(round(price))),
            Err(_) => json.extend_from_slice(number.as_bytes()),
        }
        rest = after;
    }
    json.extend_from_slice(rest.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_recorded_replies() {
        for (price, expected) in [
            (68_035.4, "68035"),
            (4728.6234, "4728.62"),
            (1.1449, "1.14"),
            (1.026_7, "1.027"),
            (1.000_4, "1.0"),
            (0.999_750_6, "0.999751"),
            (0.049_037_755, "0.04903776"),
            (6.014e-6, "6.01e-6"),
            (3.245_094e-7, "3.24509e-7"),
            (6.2451e-14, "6.2451e-14"),
            (0.0, "0.0"),
        ] {
            let mut json = Vec::new();
            let object = format!(r#"{{"id":"x","current_price":{price:?},"roi":null}}"#);
            rounded(object.as_bytes(), None, &mut json);
            let text = format!(r#"{{"id":"x","current_price":{expected},"roi":null}}"#);
            assert_eq!(String::from_utf8(json).unwrap(), text);
        }
    }

    #[test]
    fn a_null_price_stays_null() {
        let mut json = Vec::new();
        rounded(
            br#"{"current_price":null,"high_24h":1.23456}"#,
            None,
            &mut json,
        );
        assert_eq!(json, br#"{"current_price":null,"high_24h":1.23}"#);
    }
}
