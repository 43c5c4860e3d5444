"""Says at which ticks of lake/clean each rule holds, and compares it with the kinds of lake/alerts.

Independent of the Rust code: it follows the table of the README's rules. price_prev and return_15m are computed here, from the ticks
as they arrived; other fields come from lake/features, which features.py recomputes.
usage: rules.py LAKE RULES.json
It also fails where these ticks cannot tell a rule called exact-... from one that is not, or hold no gap and no null.
"""

import json
import operator
import sys

import numpy as np
import pandas as pd
from deltalake import DeltaTable

MINUTE = 60_000
OPS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
CROSSES = {"crosses_below": (">=", "<"), "crosses_above": ("<=", ">")}
# What a careless reader of a rule would take it for.
SIMILAR = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "crosses_below": "<", "crosses_above": ">"}


def layer(lake, name):
    frame = DeltaTable(f"{lake}/{name}").to_pyarrow_table().to_pandas()
    frame["event_time"] = frame["event_time"].astype("datetime64[ms, UTC]").astype("int64")
    return frame.sort_values(["source_partition", "source_offset"]).reset_index(drop=True)


def looked_back(ticks):
    """price_prev and return_15m of one coin's ticks, each from those that had arrived before it."""
    times, prices = ticks["event_time"].to_numpy(), ticks["price"].to_numpy()
    prev, back = np.full(len(ticks), np.nan), np.full(len(ticks), np.nan)
    for i, (t, p) in enumerate(zip(times, prices)):
        seen = pd.Series(prices[:i], index=times[:i])
        before = seen[(seen.index > t - 90 * MINUTE) & (seen.index < t)]
        if len(before):
            prev[i] = before.loc[before.index.max()]
        then = seen[(seen.index > t - 20 * MINUTE) & (seen.index <= t - 15 * MINUTE)]
        if len(then):
            back[i] = p / then.loc[then.index.max()] - 1
    return ticks.assign(price_prev=prev, return_15m=back)


def term(rows, text):
    if text.startswith("abs("):
        return rows[text[4:-1]].abs()
    return rows[text] if text in rows else float(text)


def holds(rows, comparison):
    """A null compares as false: so does NaN."""
    left, op, right = comparison
    if op in CROSSES:
        before, now = CROSSES[op]
        assert left == "price", left
        return holds(rows, ("price_prev", before, right)) & holds(rows, (left, now, right))
    return OPS[op](term(rows, left), term(rows, right))


def fires(rows, rule, comparisons):
    held = pd.Series(True, index=rows.index)
    for comparison in comparisons:
        held &= holds(rows, comparison)
    if rule.get("coins"):
        held &= rows["coin"].isin(rule["coins"])
    return rows.loc[held, ["coin", "event_time"]]


def ticks(rows):
    return sorted(rows.itertuples(index=False, name=None))


def main(lake, rules):
    with open(rules) as file:
        rules = json.load(file)
    clean, features, alerts = (layer(lake, name) for name in ("clean", "features", "alerts"))
    rows = pd.concat(looked_back(ticks) for _, ticks in clean.groupby("coin", sort=False))
    more = features.columns.difference(rows.columns).tolist()
    rows = rows.merge(features[["coin", "event_time", *more]], on=["coin", "event_time"], validate="one_to_one")
    differing, same = [], []
    for rule in rules:
        comparisons = [tuple(part.split()) for part in rule["when"].split(" and ")]
        want = ticks(fires(rows, rule, comparisons))
        have = alerts["kinds"].map(lambda kinds: f"rule:{rule['name']}" in kinds)
        have = ticks(alerts.loc[have, ["coin", "event_time"]])
        print(f"{rule['name']}: {rule['when']}: {len(want)} of {len(rows)} ticks")
        differing += [(rule["name"], tick, "missing") for tick in want if tick not in set(have)]
        differing += [(rule["name"], tick, "too many") for tick in have if tick not in set(want)]
        if len(have) != len(set(have)):
            differing.append((rule["name"], "a tick", "twice"))
        if rule["name"].startswith("exact-"):
            left, op, right = comparisons[0]
            others = ticks(fires(rows, rule, [(left, SIMILAR[op], right), *comparisons[1:]]))
            if others == want:
                same.append(f"{rule['name']} with {SIMILAR[op]}")
    for line in differing[:20]:
        print("differs: %s at %s: %s" % line)
    gaps = rows.sort_values("event_time").groupby("coin")["event_time"].diff() / MINUTE
    hour, longer = ((gaps > 59) & (gaps < 90)).sum(), (gaps >= 90).sum()
    nulls = rows[["price_prev", "return_15m", "market_cap"]].isna().sum().to_dict()
    print(f"{hour} ticks after a gap of an hour, {longer} after a longer one, nulls: {nulls}")
    if differing:
        sys.exit(f"{len(differing)} ticks differ")
    if same or not (hour and longer and all(nulls.values())):
        sys.exit(f"these ticks prove nothing: {same}")


if __name__ == "__main__":
    main(*sys.argv[1:])
