"""Appends raw records to a topic of Kafka, of one partition, for the peer of `cargo xtask bench catch-up`.

    python fill_kafka.py FOLDER_OF_JSONL ADDRESS TOPIC
"""

import json
import sys
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

source, address, topic = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
admin = AdminClient({"bootstrap.servers": address})
admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])[topic].result()
producer = Producer({"bootstrap.servers": address, "linger.ms": 50, "queue.buffering.max.messages": 100_000, "acks": "all"})
failed = []
for file in sorted(source.glob("*.jsonl")):
    for line in file.read_bytes().splitlines():
        while True:
            try:
                producer.produce(topic, line, json.loads(line)["id"], on_delivery=lambda error, _: error and failed.append(error))
                break
            except BufferError:
                producer.poll(1)
        producer.poll(0)
assert producer.flush() == 0 and not failed, failed[:3]
