//! The kinds of trouble a source meets.

use std::fmt;

/// The kinds of trouble, the label `kind` of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No connection, or one that broke.
    Connection,
    /// No complete reply in time.
    Timeout,
    /// 429: too many calls.
    RateLimited,
    /// 5xx.
    ServerError,
    /// A key that CoinGecko refuses.
    Unauthorized,
    /// 401 or 403 for another reason than a key: this address is blocked, or there is an outage.
    Blocked,
    /// 414: the address of a page is too long.
    UrlTooLong,
    /// Any other status that isn't success.
    ClientError,
    /// Sent elsewhere, which is not followed.
    Redirected,
    /// Something other than JSON, such as an HTML page.
    ContentType,
    /// More bytes than `body_bytes_max`, or a coin too large for a record.
    TooLarge,
    /// JSON that is cut short or broken, or not a list.
    Malformed,
    /// A list element that isn't an object. It is sent all the same, for crypto-clean to reject and keep.
    NotAnObject,
    /// An id asked for that a reply leaves out, once each time that it goes.
    IdMissing,
    /// The topic could not be written to.
    Append,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Connection,
        Self::Timeout,
        Self::RateLimited,
        Self::ServerError,
        Self::Unauthorized,
        Self::Blocked,
        Self::UrlTooLong,
        Self::ClientError,
        Self::Redirected,
        Self::ContentType,
        Self::TooLarge,
        Self::Malformed,
        Self::NotAnObject,
        Self::IdMissing,
        Self::Append,
    ];

    /// The metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Unauthorized => "unauthorized",
            Self::Blocked => "blocked",
            Self::UrlTooLong => "url_too_long",
            Self::ClientError => "client_error",
            Self::Redirected => "redirected",
            Self::ContentType => "content_type",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::NotAnObject => "not_an_object",
            Self::IdMissing => "id_missing",
            Self::Append => "append",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
