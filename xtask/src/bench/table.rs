//! The table: ours, the peer's, their ratio, and what it is to be.

use std::fmt::Write;

/// What a ratio is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Nothing: for comparison.
    None,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What is measured.
    pub what: String,
    /// Ours, with its unit.
    pub ours: String,
    /// The peer's, with its name and unit.
    pub peer: String,
    /// Ours to the peer's, or their difference.
    pub ratio: f64,
    /// What it is to be.
    pub target: Target,
}

impl Line {
    /// Whether it is not what it is to be.
    pub fn missed(&self) -> bool {
        match self.target {
            Target::AtLeast(least) => self.ratio < least,
            Target::AtMost(most) => self.ratio > most,
            Target::None => false,
        }
    }
}

/// The table as Markdown, its columns in line.
pub fn table(lines: &[Line]) -> String {
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
