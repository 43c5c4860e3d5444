//! Why a page did not come, and what to do about it.

use std::time::Duration;

use crate::status::ErrorKind;

/// Why a page did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub kind: ErrorKind,
    /// One sentence that names the thing and, where there is one, the remedy.
    pub what: String,
    pub next: Next,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again in a moment.
    Retry,
    /// The same, and it has cost no call: no connection came about.
    Reconnect,
    /// Try again, but not before so long: the server asked for it.
    RetryAfter(Duration),
    /// The same request would get the same answer: wait for the next poll.
    Skip,
    /// The server refuses this address or everybody: try again after pauses that grow from poll to poll.
    BackOff,
    /// The address is too long: ask for half of the ids at a time.
    Halve,
    /// A wrong key, if no request has succeeded yet.
    CheckKey,
}
