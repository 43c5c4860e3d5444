"""Recomputes every feature from lake/clean, tick by tick, and compares it with lake/features.

Independent of the Rust code: it follows the definitions of the README's feature table with exact sums (math.fsum).
usage: features.py LAKE [RECORDING]
With a recording, lake/clean must hold exactly its ticks.
"""

import bisect
import math
import sys

import pandas as pd
from deltalake import DeltaTable

# Near 0 these are the difference of two nearly equal prices: one unit in the last place of a price is more than 1e-9 of it. So a
# z-score is held to 1e-9 standard deviations, and a move to 1e-15 of the price.
FLOORS = {"zscore_15m": 1.0, "move_15m": 1e-6}

MINUTE = 60_000
DAY = 86_400_000


def layer(lake, name):
    frame = DeltaTable(f"{lake}/{name}").to_pyarrow_table().to_pandas()
    for column in ("event_time", "fetched_at"):
        if column in frame:
            frame[column] = frame[column].astype("datetime64[ms, UTC]").astype("int64")
    return frame.sort_values(["source_partition", "source_offset"]).reset_index(drop=True)


def mean(values):
    return math.fsum(values) / len(values) if values else None


def deviation(values):
    """Sample standard deviation (n - 1), in two passes."""
    if len(values) < 2:
        return None
    centre = mean(values)
    return math.sqrt(math.fsum((x - centre) ** 2 for x in values) / (len(values) - 1))


def median(values):
    """The middle one, or the mean of the middle two."""
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


class Coin:
    def __init__(self):
        # log_returns holds pairs: the log_return and the milliseconds it spans; None where there is none.
        self.times, self.prices, self.volumes, self.log_returns = [], [], [], []

    def add(self, t, p, v):
        at = bisect.bisect_left(self.times, t)
        assert at == len(self.times) or self.times[at] != t, "lake/clean holds a duplicate"
        prev = at - 1 if at > 0 and t - self.times[at - 1] <= 15 * MINUTE else None
        log_return = (math.log(p / self.prices[prev]), t - self.times[prev]) if prev is not None else None
        self.times.insert(at, t)
        self.prices.insert(at, p)
        self.volumes.insert(at, v)
        self.log_returns.insert(at, log_return)
        row = {"features_version": 2, "log_return": log_return and log_return[0]}
        looked_back = bisect.bisect_right(self.times, t - 90 * MINUTE)
        row["price_prev"] = self.prices[at - 1] if at > looked_back else None
        end = at + 1
        for name, window in (("1m", MINUTE), ("5m", 5 * MINUTE), ("15m", 15 * MINUTE)):
            start = bisect.bisect_right(self.times, t - window)
            row[f"ma_{name}"] = mean(self.prices[start:end])
            row[f"samples_{name}"] = end - start
            row[f"volatility_{name}"] = deviation([r[0] for r in self.log_returns[start:end] if r is not None])
            k = bisect.bisect_right(self.times, t - window) - 1
            found = k >= 0 and self.times[k] > t - window - 5 * MINUTE
            row[f"return_{name}"] = p / self.prices[k] - 1 if found else None
        start = bisect.bisect_right(self.times, t - 15 * MINUTE)
        row["volume_ma_15m"] = mean([x for x in self.volumes[start:end] if x is not None])
        k = bisect.bisect_right(self.times, t - 15 * MINUTE) - 1
        usual = self.log_returns[bisect.bisect_right(self.times, t - 75 * MINUTE):k + 1]
        usual = [r for r in usual if r is not None]
        if row["return_15m"] is not None and len(usual) >= 8:
            variance = math.fsum(r * r for r, _ in usual) / (sum(span for _, span in usual) / MINUTE)
            sigma = max(math.sqrt(variance), 1e-5)
            row["return_zscore_15m"] = math.log(p / self.prices[k]) / (sigma * math.sqrt((t - self.times[k]) / MINUTE))
        else:
            row["return_zscore_15m"] = None
        base = bisect.bisect_left(self.times, t - 15 * MINUTE)
        if at - base < 8:
            base = max(bisect.bisect_left(self.times, t - 60 * MINUTE), at - 8)
        prices = self.prices[base:at]
        if len(prices) >= 5:
            centre = mean(prices)
            row["zscore_15m"] = (p - centre) / max(deviation(prices), 1e-5 * centre)
            row["move_15m"] = p / centre - 1
        else:
            row["zscore_15m"] = row["move_15m"] = None
        usual = mean([x for x in self.volumes[base:at] if x is not None])
        row["volume_ratio"] = v / usual if v is not None and usual else None
        row["volume_surge"] = self.surge(at, looked_back)
        return row

    def surge(self, at, looked_back):
        """The median of the newest 15 rates of the strides that go back from a tick."""
        rates = []
        while len(rates) < 15:
            then = bisect.bisect_right(self.times, self.times[at] - 20_000) - 1
            if then < looked_back or self.times[at] - self.times[then] > 10 * MINUTE:
                break
            v, v_then, gap = self.volumes[at], self.volumes[then], self.times[at] - self.times[then]
            if v is not None and v_then:
                rates.append(1 + (v - v_then) / (v_then * gap / DAY))
            at = then
        return median(rates) if len(rates) >= 8 else None


def absent(value):
    return value is None or value != value


def main(lake, recording=None):
    clean, features = layer(lake, "clean"), layer(lake, "features")
    if recording:
        want = pd.read_parquet(recording).rename(
            columns={"price_usd": "price", "market_cap_usd": "market_cap", "volume_24h_usd": "volume_24h"})
        want["event_time"] = want["event_time"].astype("datetime64[ms, UTC]").astype("int64")
        columns = ["coin", "event_time", "symbol", "price", "market_cap", "volume_24h"]
        want = want[columns].sort_values(["coin", "event_time"]).reset_index(drop=True)
        have = clean[columns].sort_values(["coin", "event_time"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(have, want, check_exact=True, check_dtype=False)
        print(f"lake/clean holds the recording's {len(want)} ticks")
    assert len(clean) == len(features), f"{len(clean)} clean rows, {len(features)} feature rows"
    same = ["coin", "symbol", "event_time", "fetched_at", "price", "market_cap", "volume_24h"]
    pd.testing.assert_frame_equal(features[same], clean[same], check_exact=True)

    names = set(features.columns) - set(clean.columns)
    coins, checked, worst, differing = {}, 0, 0.0, []
    for tick, have in zip(clean.to_dict("records"), features.to_dict("records")):
        volume = None if absent(tick["volume_24h"]) else tick["volume_24h"]
        want = coins.setdefault(tick["coin"], Coin()).add(tick["event_time"], tick["price"], volume)
        assert want.keys() == names, f"computed here and there: {want.keys() ^ names}"
        for name, expected in want.items():
            found = have[name]
            checked += 1
            if absent(expected) or absent(found):
                if absent(expected) != absent(found):
                    differing.append((tick["coin"], tick["event_time"], name, found, expected))
                continue
            floor = FLOORS.get(name, 0.0)
            error = abs(found - expected) / max(abs(expected), floor, 1e-300)
            worst = max(worst, error)
            if error > 1e-9:
                differing.append((tick["coin"], tick["event_time"], name, found, expected))
    print(f"{len(features)} rows, {checked} values compared, largest relative difference {worst:.3g}")
    for line in differing[:20]:
        print("differs: coin %s at %s, %s: found %r, expected %r" % line)
    if differing:
        sys.exit(f"{len(differing)} of {checked} values differ")


if __name__ == "__main__":
    main(*sys.argv[1:])
