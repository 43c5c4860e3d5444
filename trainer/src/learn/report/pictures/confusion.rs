//! The confusion matrix.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{GRID, INK, MODEL, TEXT_SIZE, TITLE_SIZE, svg, text};
use crate::evaluation::Evaluation;

const SIZE: (u32, u32) = (560, 500);
const CELL: (i32, i32) = (190, 140);
const ORIGIN: (i32, i32) = (140, 120);

/// Counts at the model's threshold, shaded by their share of the column.
pub fn confusion(label: &str, evaluation: &Evaluation) -> Vec<u8> {
    let counts = evaluation.confusion;
    let columns = [
        ("yes", [counts.true_positive, counts.false_negative]),
        ("no", [counts.false_positive, counts.true_negative]),
    ];
    svg(SIZE, |area| {
        let centred = |size| text(size).pos(Pos::new(HPos::Center, VPos::Center));
        let write = |what: String, at: (i32, i32), style: TextStyle<'_>| {
            area.draw(&Text::new(what, at, style))
        };
        let title = format!("{label}: at threshold {:.3}", evaluation.threshold);
        write(title, (24, 22), text(TITLE_SIZE))?;
        for (column, (name, cells)) in (0..).zip(columns) {
            let left = ORIGIN.0 + column * CELL.0;
            let middle = left + CELL.0 / 2;
            write(name.to_owned(), (middle, ORIGIN.1 - 20), centred(TEXT_SIZE))?;
            let total = cells.iter().sum::<u64>().max(1);
            for (row, count) in (0..).zip(cells) {
                let top = ORIGIN.1 + row * CELL.1;
                let share = count as f64 / total as f64;
                let corners = [(left, top), (left + CELL.0, top + CELL.1)];
                area.draw(&Rectangle::new(
                    corners,
                    MODEL.mix(0.04 + 0.76 * share).filled(),
                ))?;
                area.draw(&Rectangle::new(corners, GRID.stroke_width(2)))?;
                let colour = if share > 0.7 { WHITE } else { INK };
                let centre = top + CELL.1 / 2;
                write(
                    count.to_string(),
                    (middle, centre - 12),
                    centred(30).color(&colour),
                )?;
                let percent = format!("{:.1} %", 100.0 * share);
                write(
                    percent,
                    (middle, centre + 22),
                    centred(TEXT_SIZE).color(&colour),
                )?;
            }
        }
        write(
            "came true".to_owned(),
            (ORIGIN.0 + CELL.0, ORIGIN.1 - 48),
            centred(TEXT_SIZE),
        )?;
        for (row, name) in (0..).zip(["predicted", "not predicted"]) {
            let style = text(TEXT_SIZE).pos(Pos::new(HPos::Right, VPos::Center));
            let centre = ORIGIN.1 + row * CELL.1 + CELL.1 / 2;
            write(name.to_owned(), (ORIGIN.0 - 14, centre), style)?;
        }
        let percent = |share: Option<f64>| match share {
            Some(share) => format!("{:.1} %", 100.0 * share),
            None => "none".to_owned(),
        };
        let below = format!(
            "precision {}, recall {}",
            percent(counts.precision()),
            percent(counts.recall())
        );
        let at = (ORIGIN.0 + CELL.0, ORIGIN.1 + 2 * CELL.1 + 36);
        write(below, at, centred(TEXT_SIZE))
    })
}
