"""The peer's half of `cargo xtask bench catch-up`: the same raw records through Spark Structured Streaming into the same layers.

    python catch_up.py OUTPUT_FOLDER --files FOLDER_OF_JSONL
    python catch_up.py OUTPUT_FOLDER --kafka ADDRESS --topic TOPIC --outputs TOPIC... --jars FOLDER --broker PID

The job as it is usually written. JSON lines are parsed, cleaned, and deduplicated under a watermark; each micro-batch gets
means and deviations over 1, 5 and 15 minutes by window functions, the z-score against the 15 minutes before, and alerts;
raw, clean, features and alerts become Parquet with zstd. It keeps no windows from one micro-batch to the next, which is less
work than ours; reading files in place of a topic, and writing no topics, is less again. Starting Spark is not counted.

Prints one JSON object. The processor time is that of this process, its JVM and the broker.
"""

import argparse
import json
import os
import shutil
import time
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

arguments = argparse.ArgumentParser()
arguments.add_argument("output", type=Path)
arguments.add_argument("--files", type=Path)
arguments.add_argument("--kafka")
arguments.add_argument("--topic")
arguments.add_argument("--outputs", nargs="*", default=[], help="of clean, features, alerts: those that become topics too")
arguments.add_argument("--jars", type=Path)
arguments.add_argument("--broker", type=int)
# Of 100,000, 250,000 and 500,000 the one that took the least processor time: docs/proof.md.
arguments.add_argument("--batch", type=int, default=500_000)
arguments = arguments.parse_args()
output = arguments.output
shutil.rmtree(output, ignore_errors=True)
jars = ",".join(str(jar) for jar in sorted(arguments.jars.glob("*.jar"))) if arguments.jars else ""

spark = (
    SparkSession.builder.master("local[2]")
    .appName("catch-up")
    .config("spark.driver.memory", "4g")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.jars", jars)
    .config("spark.local.dir", str(output / "scratch"))
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.parquet.compression.codec", "zstd")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")

tick = T.StructType(
    [
        T.StructField("id", T.StringType()),
        T.StructField("symbol", T.StringType()),
        T.StructField("current_price", T.DoubleType()),
        T.StructField("market_cap", T.DoubleType()),
        T.StructField("total_volume", T.DoubleType()),
        T.StructField("price_change_percentage_24h", T.DoubleType()),
        T.StructField("last_updated", T.StringType()),
    ]
)
if arguments.kafka:
    raw = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", arguments.kafka)
        .option("subscribe", arguments.topic)
        .option("startingOffsets", "earliest")
        .option("minPartitions", 2)
        .option("maxOffsetsPerTrigger", arguments.batch)
        .load()
        .select(F.col("value").cast("string"))
    )
else:
    # 50,000 records each.
    files = str(arguments.files / "*.jsonl")
    raw = spark.readStream.option("maxFilesPerTrigger", arguments.batch // 50_000).text(files)
parsed = raw.select(
    F.col("value").alias("payload"), F.from_json("value", tick).alias("tick")
).select(
    "payload",
    F.col("tick.id").alias("coin"),
    F.col("tick.symbol").alias("symbol"),
    F.to_timestamp("tick.last_updated").alias("event_time"),
    F.col("tick.current_price").alias("price"),
    F.col("tick.market_cap").alias("market_cap"),
    F.col("tick.total_volume").alias("volume_24h"),
    F.col("tick.price_change_percentage_24h").alias("change_24h_pct"),
)
ticks = parsed.withWatermark("event_time", "60 minutes").dropDuplicates(["coin", "event_time"])


def window(minutes, last):
    """The minutes before a tick: with the tick and without their first millisecond, or (last = -1) the reverse."""
    milliseconds = (F.col("event_time").cast("double") * 1000).cast("long")
    return (
        Window.partitionBy("coin")
        .orderBy(milliseconds)
        .rangeBetween(-minutes * 60_000 + (1 if last == 0 else 0), last)
    )


def write(rows, layer):
    rows.write.mode("append").partitionBy("date").parquet(str(output / "lake" / layer))
    if layer in arguments.outputs:
        records = rows.drop("date").select(F.col("coin").alias("key"), F.to_json(F.struct("*")).alias("value"))
        records.write.format("kafka").option("kafka.bootstrap.servers", arguments.kafka).option("topic", layer).save()


def batch(rows, _):
    rows = rows.withColumn("date", F.to_date("event_time")).persist()
    write(rows.select("coin", "payload", "date"), "raw")
    clean = rows.where("coin is not null and price > 0 and event_time is not null").drop("payload")
    write(clean, "clean")
    before = Window.partitionBy("coin").orderBy("event_time")
    features = clean.withColumn("log_return", F.log(F.col("price") / F.lag("price").over(before)))
    columns = {}
    for minutes in (1, 5, 15):
        over = window(minutes, 0)
        columns[f"ma_{minutes}m"] = F.avg("price").over(over)
        columns[f"samples_{minutes}m"] = F.count("price").over(over)
        columns[f"volatility_{minutes}m"] = F.stddev("log_return").over(over)
    baseline = window(15, -1)
    mean, deviation = F.avg("price").over(baseline), F.stddev("price").over(baseline)
    columns["zscore_15m"] = (F.col("price") - mean) / F.greatest(deviation, mean * 1e-5)
    columns["volume_ma_15m"] = F.avg("volume_24h").over(window(15, 0))
    columns["volume_ratio"] = F.col("volume_24h") / F.avg("volume_24h").over(baseline)
    features = features.withColumns(columns).persist()
    write(features, "features")
    alerts = features.where("abs(zscore_15m) > 3.75 or volume_ratio > 3").select(
        "coin", "symbol", "event_time", "price", "zscore_15m", "volume_ratio", "date"
    )
    write(alerts, "alerts")
    features.unpersist()
    rows.unpersist()


def cpu_seconds():
    processes = [os.getpid(), spark.sparkContext._gateway.proc.pid, arguments.broker]
    ticks = 0
    for process in filter(None, processes):
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


started, cpu = time.perf_counter(), cpu_seconds()
query = (
    ticks.writeStream.foreachBatch(batch)
    .option("checkpointLocation", str(output / "checkpoint"))
    .trigger(availableNow=True)
    .start()
)
query.awaitTermination()
seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu

layers = ("raw", "clean", "features", "alerts")
rows = {layer: spark.read.parquet(str(output / "lake" / layer)).count() for layer in layers}
result = {
    "pyspark": pyspark.__version__,
    "records": rows["raw"],
    "seconds": seconds,
    "cpu_seconds": cpu,
    "rows": rows,
}
spark.stop()
print(json.dumps(result))
