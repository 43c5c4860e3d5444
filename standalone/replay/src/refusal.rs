//! What CoinGecko says instead of an answer, as recorded.

/// An error reply: its status, headers and body.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides those that every reply has.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: &'static str,
}

const JSON: (&str, &str) = ("content-type", "application/json");
const TEXT: (&str, &str) = ("content-type", "text/plain; charset=UTF-8");
const HTML: (&str, &str) = ("content-type", "text/html; charset=UTF-8");

impl Refusal {
    /// Those that pass by themselves: rate limits, and blocks and outages that look like a wrong key but are none.
    pub const PASSING: [Self; 6] = [
        Self {
            status: 429,
            headers: &[JSON, ("retry-after", "119")],
            body: r#"{"status":{"error_code":429,"error_message":"You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing to subscribe to our API plans for higher rate limits."}}"#,
        },
        Self {
            status: 429,
            headers: &[TEXT],
            body: "Throttled",
        },
        Self {
            status: 429,
            headers: &[TEXT],
            body: "error code: 1015",
        },
        Self {
            status: 403,
            headers: &[],
            body: "",
        },
        Self {
            status: 403,
            headers: &[HTML],
            body: "<!DOCTYPE html><html><head><title>Access denied | api.coingecko.com used Cloudflare to restrict access</title></head><body><h1>Access denied</h1><p>Error code 1020</p></body></html>",
        },
        Self {
            status: 403,
            headers: &[JSON],
            body: r#"{"status":{"error_code":403,"error_message":"This endpoint is temporarily unavailable"}}"#,
        },
    ];
    /// A demo key on the host of the paid plans: does not pass.
    pub const DEMO_KEY_ON_PRO_HOST: Self = Self {
        status: 400,
        headers: &[JSON],
        body: r#"{"timestamp":"2026-01-01T00:00:00.000+00:00","error_code":10011,"status":{"error_message":"If you are using Demo API key, please change your root URL from pro-api.coingecko.com to api.coingecko.com"}}"#,
    };
    /// A paid key on the host of the others: does not pass.
    pub const PRO_KEY_ON_DEMO_HOST: Self = Self {
        status: 400,
        headers: &[JSON],
        body: r#"{"timestamp":"2026-01-01T00:00:00.000+00:00","error_code":10010,"status":{"error_message":"If you are using Pro API key, please change your root URL from api.coingecko.com to pro-api.coingecko.com"}}"#,
    };
    /// A chart that goes back further than a free key reaches.
    pub const TOO_FAR_BACK: Self = Self {
        status: 401,
        headers: &[JSON],
        body: r#"{"error":{"status":{"timestamp":"2026-01-01T00:00:00.000+00:00","error_code":10012,"error_message":"Your request exceeds the allowed time range. Public API users are limited to querying historical data within the past 365 days. Upgrade to a paid plan to enjoy full historical data access"}}}"#,
    };
    /// A coin that CoinGecko does not know.
    pub const NO_COIN: Self = Self {
        status: 404,
        headers: &[JSON],
        body: r#"{"error":"coin not found"}"#,
    };
    /// A chart without `days`.
    pub const NO_DAYS: Self = Self {
        status: 422,
        headers: &[JSON],
        body: r#"{"error":"Missing parameter days"}"#,
    };
    /// A request without `vs_currency`.
    pub const NO_CURRENCY: Self = Self {
        status: 422,
        headers: &[JSON],
        body: r#"{"error":"Missing parameter vs_currency"}"#,
    };
}
