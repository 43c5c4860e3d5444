//! What each metric of the source means: docs/metrics.md is made from this.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) fn describe() {
    describe_counter!("coingecko_source_polls_total", "Polls by what they brought");
    describe_counter!(
        "coingecko_source_replies_total",
        "Calls by their reply; rate_limited is a 429"
    );
    describe_counter!("coingecko_source_errors_total", "Trouble by its kind");
    describe_counter!(
        "coingecko_source_retries_total",
        "Calls that were made again"
    );
    describe_counter!(
        "coingecko_source_records_total",
        "Coins acknowledged by the topic"
    );
    describe_counter!(
        "coingecko_source_ticks_missed_total",
        "Ticks of the poll interval that passed during a poll"
    );
    describe_gauge!(
        "coingecko_source_poll_interval_seconds",
        Unit::Seconds,
        "From one poll to the next: as configured, or longer for the last tenth of the month's calls"
    );
    describe_gauge!(
        "coingecko_source_backfilling",
        "1 while the past is filled in, during which no poll is made, and until the next poll; otherwise 0"
    );
    describe_gauge!(
        "coingecko_source_last_new_timestamp_seconds",
        Unit::Seconds,
        "When a poll last brought a coin that is newer than before; until the first does, when the source started"
    );
    describe_gauge!(
        "coingecko_source_newest_update_timestamp_seconds",
        Unit::Seconds,
        "The latest last_updated of any coin"
    );
    describe_gauge!(
        "coingecko_source_calls_this_month",
        "Calls of this calendar month (UTC), an estimate: other users of the key are not counted"
    );
    describe_gauge!(
        "coingecko_source_clock_ahead_seconds",
        Unit::Seconds,
        "This machine's clock less the server's, as far as a reply's headers prove a difference"
    );
    describe_gauge!(
        "coingecko_source_last_poll_timestamp_seconds",
        Unit::Seconds,
        "When a poll last brought a reply"
    );
    describe_histogram!(
        "coingecko_source_reply_seconds",
        Unit::Seconds,
        "From a call to its reply"
    );
    describe_histogram!(
        "coingecko_source_rate_limit_wait_seconds",
        Unit::Seconds,
        "Calls that waited for the plan's limit, and how long"
    );
}
