//! Line charts: ROC, precision-recall and calibration.

use plotters::prelude::*;
use plotters::style::ShapeStyle;

use super::canvas::{BASELINE, GRID, MODEL, PLAIN, TEXT_SIZE, TITLE_SIZE, svg, text};
use crate::evaluation::Evaluation;

const SIZE: (u32, u32) = (640, 560);

/// More points are not visible and make large files.
const POINTS_MAX: usize = 250;

struct Line {
    name: String,
    points: Vec<(f64, f64)>,
    style: ShapeStyle,
    /// Whether each point has a dot.
    dots: bool,
}

struct Chart<'a> {
    title: String,
    x_name: &'a str,
    y_name: &'a str,
    x: std::ops::Range<f64>,
    y: std::ops::Range<f64>,
    lines: Vec<Line>,
    legend: SeriesLabelPosition,
}

/// True-positive rate by false-positive rate.
pub fn roc(label: &str, evaluation: &Evaluation) -> Vec<u8> {
    let Evaluation {
        ranking,
        best_input,
        best_input_ranking,
        ..
    } = evaluation;
    draw(Chart {
        title: format!("{label}: ROC"),
        x_name: "false positive rate",
        y_name: "true positive rate",
        x: 0.0..1.0,
        y: 0.0..1.0,
        lines: vec![
            chance("chance, AUC 0.500", vec![(0.0, 0.0), (1.0, 1.0)]),
            baseline(
                format!(
                    "{best_input} alone, AUC {:.3}",
                    best_input_ranking.auc_roc()
                ),
                best_input_ranking.roc(),
            ),
            model_line(
                format!("model, AUC {:.3}", ranking.auc_roc()),
                ranking.roc(),
            ),
        ],
        legend: SeriesLabelPosition::LowerRight,
    })
}

/// Precision by recall.
pub fn precision_recall(label: &str, evaluation: &Evaluation) -> Vec<u8> {
    let Evaluation {
        ranking,
        best_input,
        best_input_ranking,
        base_rate,
        ..
    } = evaluation;
    let curve = ranking.precision_recall();
    // The precision of the first few rows is mostly luck.
    let settled = curve.iter().filter(|(recall, _)| *recall > 0.02);
    let highest = settled
        .map(|(_, precision)| *precision)
        .fold(*base_rate, f64::max);
    draw(Chart {
        title: format!("{label}: precision and recall"),
        x_name: "recall",
        y_name: "precision",
        x: 0.0..1.0,
        y: 0.0..round_up(highest * 1.15),
        lines: vec![
            chance(
                &format!("base rate, {base_rate:.3}"),
                vec![(0.0, *base_rate), (1.0, *base_rate)],
            ),
            baseline(
                format!(
                    "{best_input} alone, area {:.3}",
                    best_input_ranking.auc_pr()
                ),
                best_input_ranking.precision_recall(),
            ),
            model_line(format!("model, area {:.3}", ranking.auc_pr()), curve),
        ],
        legend: SeriesLabelPosition::UpperRight,
    })
}

/// Actual share by predicted probability.
pub fn calibration(label: &str, evaluation: &Evaluation) -> Vec<u8> {
    let bins = &evaluation.calibration;
    let points: Vec<_> = bins.iter().map(|bin| (bin.predicted, bin.actual)).collect();
    let highest = points.iter().map(|(x, y)| x.max(*y)).fold(0.0, f64::max);
    let lowest = points.iter().map(|(x, y)| x.min(*y)).fold(1.0, f64::min);
    let max = round_up(highest * 1.05);
    let min = ((lowest * 9.5).floor() / 10.0).clamp(0.0, max - 0.1);
    draw(Chart {
        title: format!("{label}: calibration"),
        x_name: "predicted probability",
        y_name: "share that came true",
        x: min..max,
        y: min..max,
        lines: vec![
            chance("perfect", vec![(min, min), (max, max)]),
            Line {
                dots: true,
                ..model_line(
                    format!("model, Brier score {:.4}", evaluation.brier),
                    points,
                )
            },
        ],
        legend: SeriesLabelPosition::UpperLeft,
    })
}

fn chance(name: &str, points: Vec<(f64, f64)>) -> Line {
    Line {
        name: name.to_owned(),
        points,
        style: PLAIN.mix(0.7).stroke_width(1),
        dots: false,
    }
}

fn baseline(name: String, points: Vec<(f64, f64)>) -> Line {
    Line {
        name,
        points,
        style: BASELINE.stroke_width(2),
        dots: false,
    }
}

fn model_line(name: String, points: Vec<(f64, f64)>) -> Line {
    Line {
        name,
        points,
        style: MODEL.stroke_width(3),
        dots: false,
    }
}

/// Rounds up to a tenth, at most 1.
fn round_up(value: f64) -> f64 {
    ((value * 10.0).ceil() / 10.0).clamp(0.1, 1.0)
}

fn draw(chart: Chart<'_>) -> Vec<u8> {
    svg(SIZE, |area| {
        let mut context = ChartBuilder::on(area)
            .caption(&chart.title, text(TITLE_SIZE))
            .margin(18)
            .x_label_area_size(48)
            .y_label_area_size(58)
            .build_cartesian_2d(chart.x, chart.y)?;
        context
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(PLAIN)
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|x| format!("{x:.2}"))
            .y_label_formatter(&|y| format!("{y:.2}"))
            .x_desc(chart.x_name)
            .y_desc(chart.y_name)
            .label_style(text(TEXT_SIZE - 2))
            .axis_desc_style(text(TEXT_SIZE))
            .draw()?;
        for line in chart.lines {
            let points = thinned(&line.points);
            let dots = match line.dots {
                true => points.clone(),
                false => Vec::new(),
            };
            let style = line.style;
            context
                .draw_series(LineSeries::new(points, style))?
                .label(line.name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 22, y)], style));
            let dots = dots
                .into_iter()
                .map(|dot| Circle::new(dot, 5, style.filled()));
            context.draw_series(dots)?;
        }
        context
            .configure_series_labels()
            .position(chart.legend)
            .margin(12)
            .legend_area_size(30)
            .background_style(WHITE.mix(0.85))
            .border_style(GRID)
            .label_font(text(TEXT_SIZE - 1))
            .draw()
    })
}

/// At most about [`POINTS_MAX`] points, with the first and the last one.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let last = points.len().saturating_sub(1);
    let step = points.len().div_ceil(POINTS_MAX).max(1);
    let kept = points.iter().enumerate();
    kept.filter(|(place, _)| place % step == 0 || *place == last)
        .map(|(_, point)| *point)
        .collect()
}
