//! The table: Coinlake's figure, the peer's, their ratio and its target.

use std::fmt::Write;

/// What a ratio should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// No target: for comparison only.
    None,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// What is measured.
    pub(super) what: String,
    /// Coinlake's figure, with its unit.
    pub(super) ours: String,
    /// The peer's figure, with its name and unit.
    pub(super) peer: String,
    /// Coinlake's figure divided by the peer's, or their difference.
    pub(super) ratio: f64,
    /// What the ratio should be.
    pub(super) target: Target,
}

impl Line {
    /// Whether the ratio misses its target.
    pub(super) fn missed(&self) -> bool {
        match self.target {
            Target::AtLeast(least) => self.ratio < least,
            Target::AtMost(most) => self.ratio > most,
            Target::None => false,
        }
    }
}

/// The table as Markdown, with aligned columns.
pub(super) fn table(lines: &[Line]) -> String {
    let number = |value: f64| match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.001 => format!("{value:.1e}"),
        small if small < 10.0 => format!("{value:.3}"),
        _ => format!("{value:.1}"),
    };
    let mut rows = vec![["what", "ours", "peer", "ratio", "target", ""].map(str::to_owned)];
    rows.extend(lines.iter().map(|line| {
        let (target, verdict) = match line.target {
            Target::AtLeast(least) => (format!(">= {}", number(least)), "reached"),
            Target::AtMost(most) => (format!("<= {}", number(most)), "reached"),
            Target::None => (String::new(), ""),
        };
        let verdict = if line.missed() { "missed" } else { verdict };
        [
            line.what.clone(),
            line.ours.clone(),
            line.peer.clone(),
            number(line.ratio),
            target,
            verdict.to_owned(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..6).map(|column| width(column).unwrap_or(0)).collect();
    let mut table = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(table, "| {cell:width$} ");
        }
        table.push_str("|\n");
        if number == 0 {
            for width in &widths {
                let _ = write!(table, "|-{}-", "-".repeat(*width));
            }
            table.push_str("|\n");
        }
    }
    table
}
