//! Tables for the terminal.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use jiff::Timestamp;

/// An empty table with borders.
pub(crate) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    // On a narrow terminal cells are wrapped, not lines.
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.to_vec());
    table
}

/// A measured value; `-` if there is none.
pub(crate) fn number(value: Option<f64>) -> Cell {
    let text = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A point in time, in UTC.
pub(crate) fn time(at_ms: i64) -> String {
    let time = Timestamp::from_millisecond(at_ms);
    time.map_or_else(
        |_| "-".to_owned(),
        |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}
