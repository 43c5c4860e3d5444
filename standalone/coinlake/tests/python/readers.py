"""Reads every layer of a lake with pyarrow, DuckDB and Polars, which must agree on rows and columns.

usage: readers.py LAKE
"""

import pathlib
import sys

import duckdb
import polars
import pyarrow.dataset as ds

lake = pathlib.Path(sys.argv[1])
layers = sorted(path.name for path in lake.iterdir() if path.is_dir())
assert layers, f"{lake} has no layers"
for name in layers:
    files = f"{lake}/{name}/*/*.parquet"
    arrow = ds.dataset(f"{lake}/{name}", format="parquet", partitioning="hive").to_table()
    duck = duckdb.sql(f"SELECT * FROM read_parquet('{files}', hive_partitioning = true)")
    frame = polars.scan_parquet(files, hive_partitioning=True).collect()
    rows = {"pyarrow": arrow.num_rows, "duckdb": duck.count("*").fetchone()[0], "polars": frame.height}
    columns = {"pyarrow": set(arrow.column_names), "duckdb": set(duck.columns), "polars": set(frame.columns)}
    assert len(set(rows.values())) == 1, f"{name}: {rows}"
    assert columns["pyarrow"] == columns["duckdb"] == columns["polars"], f"{name}: {columns}"
    print(f"{name}: {arrow.num_rows} rows, {arrow.num_columns} columns")
