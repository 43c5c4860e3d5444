//! Pictures of a model, as SVG: they are text, sharp at any size, and need no fonts or image libraries here.

mod confusion;
mod curves;
mod importance;

pub use confusion::confusion;
pub use curves::{calibration, precision_recall, roc};
pub use importance::importance;

use plotters::prelude::*;

/// The model's colour.
const MODEL: RGBColor = RGBColor(37, 99, 235);
/// The rule's colour.
const RULE: RGBColor = RGBColor(217, 119, 6);
/// The colour of what is no better than chance, and of axes.
const PLAIN: RGBColor = RGBColor(107, 114, 128);
/// Text and titles.
const INK: RGBColor = RGBColor(31, 41, 55);
/// Lines behind the data.
const GRID: RGBColor = RGBColor(229, 231, 235);

const FONT: &str = "Helvetica, Arial, sans-serif";
const TITLE_SIZE: u32 = 24;
const TEXT_SIZE: u32 = 17;

/// What can go wrong with a picture that is drawn into a string.
type Problem = DrawingAreaErrorKind<std::io::Error>;

fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

/// Draws on white.
fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Result<(), Problem>,
) -> Vec<u8> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE)
            .and_then(|()| draw(&area))
            .and_then(|()| area.present())
            .expect("drawing into a string does not fail");
    }
    svg.into_bytes()
}
