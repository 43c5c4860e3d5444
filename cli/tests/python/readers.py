"""Reads every layer of a lake with pyarrow, DuckDB and Polars, which must agree on rows and columns.

usage: readers.py LAKE
"""

import pathlib
import sys

import duckdb
import polars
import pyarrow.dataset as ds

lake = pathlib.Path(sys.argv[1])
# Names that begin with an underscore are not data, by the convention of Hive and Spark.
layers = sorted(path.name for path in lake.iterdir() if path.is_dir() and not path.name.startswith("_"))
assert layers, f"{lake} has no layers"
for name in layers:
    files = f"{lake}/{name}/*/*.parquet"
    arrow = ds.dataset(f"{lake}/{name}", format="parquet", partitioning="hive").to_table()
    duck = f"read_parquet('{files}', hive_partitioning = true)"
    duck_rows = duckdb.sql(f"SELECT count(*) FROM {duck}").fetchall()[0][0]
    duck_columns = {row[0] for row in duckdb.sql(f"DESCRIBE SELECT * FROM {duck}").fetchall()}
    frame = polars.scan_parquet(files, hive_partitioning=True).collect()
    rows = {"pyarrow": arrow.num_rows, "duckdb": duck_rows, "polars": frame.height}
    columns = {"pyarrow": set(arrow.column_names), "duckdb": duck_columns, "polars": set(frame.columns)}
    assert len(set(rows.values())) == 1, f"{name}: {rows}"
    assert columns["pyarrow"] == columns["duckdb"] == columns["polars"], f"{name}: {columns}"
    print(f"{name}: {arrow.num_rows} rows, {arrow.num_columns} columns")
