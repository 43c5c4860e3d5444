"""Runs what the console's Data page says to type into DuckDB and Polars.

usage: snippets.py FOLDER
FOLDER holds the snippets, by the program's name, and `rows`: how many rows the table has.
"""

import ast
import importlib.util
import pathlib
import sys

import duckdb

folder = pathlib.Path(sys.argv[1])
shown = min(10, int((folder / "rows").read_text()))

# The extension comes from PyPI: `INSTALL` would need a network.
found = importlib.util.find_spec("duckdb_ext").submodule_search_locations
extension = next(file for path in found for file in pathlib.Path(path).rglob("delta.duckdb_extension"))
install, query = (folder / "DuckDB").read_text().split("\n", 1)
assert install == "INSTALL delta; LOAD delta;", install
connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
connection.execute(f"LOAD '{extension}'")
assert connection.sql(query.rstrip(";")).to_arrow_table().num_rows == shown

# The value of the last line, as a prompt prints it.
*lines, last = ast.parse((folder / "Polars").read_text()).body
scope = {}
exec(compile(ast.Module(lines, []), "Polars", "exec"), scope)
frame = eval(compile(ast.Expression(last.value), "Polars", "eval"), scope)
assert frame.height == shown, frame
print(f"DuckDB and Polars: {shown} rows each")
