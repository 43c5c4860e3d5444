//! Permutation importances: a bar chart.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{GRID, INK, MODEL, PLAIN, TEXT_SIZE, TITLE_SIZE, svg, text};
use crate::learn::importance::Importance;

const WIDTH: u32 = 720;
const ROW_HEIGHT: i32 = 34;
const TOP: i32 = 64;
const LEFT: i32 = 170;
const RIGHT: i32 = 110;

/// Draws a bar for each input, in the given order: the drop in AUC-ROC when the input is shuffled.
pub fn importance(label: &str, importances: &[Importance]) -> Vec<u8> {
    let height = TOP + ROW_HEIGHT * importances.len() as i32 + 60;
    let drops = importances.iter().map(|i| i.auc_drop + i.deviation);
    let x_max = drops.fold(1e-6, f64::max);
    let lows = importances.iter().map(|i| i.auc_drop - i.deviation);
    let x_min = lows.fold(0.0, f64::min);
    let room = f64::from(WIDTH as i32 - LEFT - RIGHT);
    let x = |drop: f64| LEFT + ((drop - x_min) / (x_max - x_min) * room).round() as i32;
    svg((WIDTH, height as u32), |area| {
        area.draw(&Text::new(
            format!("{label}: permutation importance"),
            (24, 22),
            text(TITLE_SIZE),
        ))?;
        let bottom = TOP + ROW_HEIGHT * importances.len() as i32;
        for (row, importance) in (0..).zip(importances) {
            let middle = TOP + ROW_HEIGHT * row + ROW_HEIGHT / 2;
            let name = text(TEXT_SIZE).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(importance.input, (LEFT - 12, middle), name))?;
            let (zero, end) = (x(0.0), x(importance.auc_drop));
            let colour = if importance.auc_drop > 0.0 {
                MODEL
            } else {
                PLAIN
            };
            area.draw(&Rectangle::new(
                [(zero.min(end), middle - 9), (zero.max(end), middle + 9)],
                colour.mix(0.85).filled(),
            ))?;
            let spread =
                [-1.0, 1.0].map(|side| x(importance.auc_drop + side * importance.deviation));
            area.draw(&PathElement::new(
                vec![(spread[0], middle), (spread[1], middle)],
                INK.stroke_width(2),
            ))?;
            let value = text(TEXT_SIZE - 2).pos(Pos::new(HPos::Left, VPos::Center));
            let drop = format!("{:+.4}", importance.auc_drop);
            let right = spread[1].max(end).max(zero);
            area.draw(&Text::new(drop, (right + 10, middle), value))?;
        }
        area.draw(&PathElement::new(
            vec![(x(0.0), TOP), (x(0.0), bottom)],
            GRID.stroke_width(2),
        ))?;
        let note = text(TEXT_SIZE - 2).pos(Pos::new(HPos::Center, VPos::Top));
        let middle = LEFT + (room / 2.0) as i32;
        area.draw(&Text::new(
            "drop in AUC-ROC when the input is shuffled",
            (middle, bottom + 18),
            note,
        ))
    })
}
