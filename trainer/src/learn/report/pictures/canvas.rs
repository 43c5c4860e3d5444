//! Colours, fonts and the white canvas of all pictures.

use plotters::prelude::*;

/// The model's colour.
pub(super) const MODEL: RGBColor = RGBColor(37, 99, 235);
/// The best input's colour.
pub(super) const BASELINE: RGBColor = RGBColor(217, 119, 6);
/// The colour of chance and of axes.
pub(super) const PLAIN: RGBColor = RGBColor(107, 114, 128);
/// The colour of text.
pub(super) const INK: RGBColor = RGBColor(31, 41, 55);
/// The colour of lines behind the data.
pub(super) const GRID: RGBColor = RGBColor(229, 231, 235);

/// What browsers and image viewers have.
pub(super) const FONT: &str = "Helvetica, Arial, sans-serif";
/// Pixels.
pub(super) const TITLE_SIZE: u32 = 24;
/// Pixels.
pub(super) const TEXT_SIZE: u32 = 17;

/// Drawing into a string cannot fail, but plotters' types say that it may.
type DrawError = DrawingAreaErrorKind<std::io::Error>;

pub(super) fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

/// Draws on white and returns the SVG.
pub(super) fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Result<(), DrawError>,
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
