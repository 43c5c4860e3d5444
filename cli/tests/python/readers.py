"""Reads every table of a lake with DuckDB, Polars, deltalake with pyarrow, and Spark: each must find the same rows of the same types,
before and after upkeep.

usage: readers.py BEFORE AFTER [JARS]
JARS is a folder with the jars of delta-spark, delta-storage and antlr4-runtime; without it, or without pyspark, Spark is left out.
"""

import importlib.util
import os
import pathlib
import sys

import duckdb
import polars
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

LINEAGE = ["source_partition", "source_offset"]


def extension():
    """DuckDB's delta extension, as PyPI's duckdb-ext-delta brings it."""
    found = importlib.util.find_spec("duckdb_ext").submodule_search_locations
    files = [file for path in found for file in pathlib.Path(path).rglob("delta.duckdb_extension")]
    assert files, f"no delta.duckdb_extension in {list(found)}"
    return files[0]


def plain(kind):
    """The one type that stands for what a column holds, however a reader calls its variants."""
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view":
        return pa.string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_timestamp(kind):
        assert kind.tz is not None, "a timestamp without a time zone"
        return pa.timestamp(kind.unit, "UTC")
    return kind


def same(table):
    """A table with the columns in the order of their names and the rows in that of their inputs."""
    table = table.select(sorted(table.column_names))
    table = table.cast(pa.schema([pa.field(field.name, plain(field.type)) for field in table.schema]))
    return table.sort_by([(name, "ascending") for name in LINEAGE]).combine_chunks()


def by_deltalake(path):
    return DeltaTable(path).to_pyarrow_table()


def by_duckdb(path):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"LOAD '{extension()}'")
    return connection.sql(f"SELECT * FROM delta_scan('{path}')").to_arrow_table()


def by_polars(path):
    return polars.scan_delta(path).collect().to_arrow()


def by_spark(jars):
    """A reader; None where Spark is missing."""
    if not jars or importlib.util.find_spec("pyspark") is None:
        print("Spark is left out: pyspark or the jars of delta-spark are missing")
        return None
    os.environ["TZ"] = "UTC"
    from pyspark.sql import SparkSession, functions as F

    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.jars", ",".join(str(jar) for jar in sorted(pathlib.Path(jars).glob("*.jar"))))
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.databricks.delta.snapshotPartitions", "1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    kinds = {
        "string": pa.string(),
        "double": pa.float64(),
        "bigint": pa.int64(),
        "int": pa.int32(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", "UTC"),
        "array<string>": pa.list_(pa.string()),
    }

    def read(path):
        frame = spark.read.format("delta").load(path)
        schema = pa.schema([(name, kinds[kind]) for name, kind in frame.dtypes])
        # As a Python object a time would have no zone.
        times = {name: F.unix_micros(name) for name, kind in frame.dtypes if kind == "timestamp"}
        rows = frame.withColumns(times).collect() if times else frame.collect()
        columns = zip(*rows) if rows else [[]] * len(schema)
        raw = [pa.int64() if field.name in times else field.type for field in schema]
        arrays = [pa.array(list(column), kind) for column, kind in zip(columns, raw)]
        return pa.table([array.cast(field.type) for array, field in zip(arrays, schema)], schema=schema)

    return read


def read(path, readers):
    """The rows of a table, which all readers find."""
    name = path.name
    found = {reader: same(read(str(path))) for reader, read in readers.items() if read}
    expected = found["deltalake"]
    for reader, table in found.items():
        equal(f"{name}: {reader}", table, expected)
    inputs = expected.group_by(LINEAGE).aggregate([]).num_rows
    assert inputs == expected.num_rows, f"{name}: {expected.num_rows} rows of {inputs} inputs"
    if "event_time" in expected.column_names:
        days = pc.cast(pc.floor_temporal(expected["event_time"], unit="day"), pa.date32())
        assert days.equals(expected["date"]), f"{name}: a row of another day than its file"
    print(f"{path}: {expected.num_rows} rows, {expected.num_columns} columns, the same by {', '.join(found)}")
    return expected


def equal(what, table, expected):
    assert table.schema == expected.schema, f"{what} finds\n{table.schema}\nand not\n{expected.schema}"
    assert table.num_rows == expected.num_rows, f"{what} finds {table.num_rows} rows, not {expected.num_rows}"
    for column in table.column_names:
        assert table[column].equals(expected[column]), f"{what} finds other values in {column}"


def main(before, after, jars=None):
    before, after = pathlib.Path(before), pathlib.Path(after)
    tables = sorted(path.parent.name for path in before.glob("*/_delta_log"))
    assert tables, f"{before} has no tables"
    readers = {"deltalake": by_deltalake, "DuckDB": by_duckdb, "Polars": by_polars, "Spark": by_spark(jars)}
    for name in tables:
        rows = read(before / name, readers)
        equal(f"{name} after upkeep", read(after / name, readers), rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
