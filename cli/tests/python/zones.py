"""Reads times with DuckDB where the machine is in Tokyo and pytz is missing: what docs/operations.md says of that must hold.

usage: zones.py TABLE
"""

import os
import pathlib
import sys
import time
from datetime import datetime, timedelta

os.environ["TZ"] = "Asia/Tokyo"
time.tzset()
sys.modules["pytz"] = None

import duckdb
from deltalake import DeltaTable

from readers import extension

table = sys.argv[1]
stored = DeltaTable(table).to_pyarrow_table(columns=["event_time"])["event_time"]
assert str(stored.type) == "timestamp[us, tz=UTC]", stored.type
stored = sorted(stored.cast("int64").to_pylist())
connection = duckdb.connect()
connection.execute(f"LOAD '{extension()}'")


def times(column):
    return connection.sql(f"SELECT {column} AS t FROM delta_scan('{table}') ORDER BY event_time")


# As the reader's clock has it, until told otherwise.
assert all(t.endswith("+09") for (t,) in times("event_time::VARCHAR").fetchall())
try:
    times("event_time").fetchall()
    raise AssertionError("pytz is no longer needed: say so in docs/operations.md")
except duckdb.InvalidInputException as error:
    assert "pytz" in str(error), error
connection.execute("SET TimeZone = 'UTC'")
assert all(t.endswith("+00") for (t,) in times("event_time::VARCHAR").fetchall())

# Without pytz.
began = datetime(1970, 1, 1)
naive = times("event_time AT TIME ZONE 'UTC'").fetchall()
assert [(t - began) // timedelta(microseconds=1) for (t,) in naive] == stored
assert times("event_time").to_arrow_table()["t"].cast("int64").to_pylist() == stored

page = (pathlib.Path(__file__).parents[3] / "docs/operations.md").read_text()
for words in ["SET TimeZone = 'UTC'", "`event_time AT TIME ZONE 'UTC'`", "`pytz`"]:
    assert words in page, f"docs/operations.md does not say {words}"
print(f"{len(stored)} times, the same with DuckDB in Tokyo and without pytz")
