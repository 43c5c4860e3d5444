"""Writes an alias into the server's database as if its version were there."""

import sqlite3
import sys

database, model, alias, version = sys.argv[1:]
connection = sqlite3.connect(database, timeout=30)
columns = [row[1] for row in connection.execute("PRAGMA table_info(registered_model_aliases)")]
values = {"name": model, "alias": alias, "version": int(version), "workspace": "default"}
used = [column for column in columns if column in values]
connection.execute(
    f"INSERT INTO registered_model_aliases ({', '.join(used)}) VALUES ({', '.join('?' for _ in used)})",
    [values[column] for column in used],
)
connection.commit()
