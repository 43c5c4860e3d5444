"""The peers' half of `cargo xtask bench parquet`: the same feature rows, written as Parquet with zstd on one core.

    python layer.py FEATURES.parquet        # the file that the Rust side wrote

Each writes into memory with zstd level 1, as ours does. Of the common settings, and of several rounds, the fastest counts.
Prints one JSON object with rows per second.
"""

import io
import json
import os
import sys
import time

os.environ["POLARS_MAX_THREADS"] = "1"
import polars
import pyarrow
import pyarrow.parquet

ROUNDS = 5

pyarrow.set_cpu_count(1)
table = pyarrow.parquet.read_table(sys.argv[1], use_threads=False).combine_chunks()
frame = polars.from_arrow(table).rechunk()
strings = [field.name for field in table.schema if pyarrow.types.is_string(field.type)]


def rate(*writers):
    best = float("inf")
    for write in writers * ROUNDS:
        started = time.perf_counter()
        write(io.BytesIO())
        best = min(best, time.perf_counter() - started)
    return table.num_rows / best


def arrow(to, **options):
    pyarrow.parquet.write_table(table, to, compression="zstd", compression_level=1, **options)


print(
    json.dumps(
        {
            "pyarrow": {
                "version": pyarrow.__version__,
                # With the defaults, and without dictionaries that would be dropped.
                "rows_per_second": rate(arrow, lambda to: arrow(to, use_dictionary=strings)),
            },
            "polars": {
                "version": polars.__version__,
                "rows_per_second": rate(
                    lambda to: frame.write_parquet(to, compression="zstd", compression_level=1, statistics=True)
                ),
            },
        }
    )
)
