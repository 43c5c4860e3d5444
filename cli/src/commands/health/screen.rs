//! The report for people, on one screen.
//!
//! Always coloured: the caller removes the colours where stdout is not a terminal or `NO_COLOR` is set.

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use indicatif::{BinaryBytes, HumanCount};
use survey::Freshness;

use super::report::{HealthReport, drift_line};
use crate::counted::counted;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// So many of the coins with the oldest ticks are shown.
const OLD_COINS_MAX: usize = 3;

/// Spaces between two columns.
const COLUMN_GAP: u16 = 2;

/// The whole screen, ending with a newline.
pub(crate) fn render(report: &HealthReport) -> String {
    let mut screen = String::new();
    // Writing into a String cannot fail.
    let _ = write(report, &mut screen);
    screen
}

fn write(report: &HealthReport, out: &mut String) -> fmt::Result {
    let survey = &report.survey;
    let has_problem = |name: &str| survey.problems.iter().any(|problem| problem.about == name);

    let mut topics = table([left("TOPIC"), right("PARTITIONS"), right("RECORDS")]);
    for topic in &survey.topics {
        let bad = has_problem(&topic.name);
        topics.add_row([
            mark(left(&topic.name), bad),
            mark(right(&topic.partitions.to_string()), bad),
            mark(right(&grouped(topic.records.max(0).unsigned_abs())), bad),
        ]);
    }
    write_table(&topics, out)?;

    let mut smartmodules = table([left("SMARTMODULE"), left("")]);
    for module in &survey.smartmodules {
        let state = if module.present { "present" } else { "missing" };
        smartmodules.add_row([
            mark(left(&module.name), !module.present),
            mark(left(state), !module.present),
        ]);
    }
    write_table(&smartmodules, out)?;

    let mut stages = table([
        left("STAGE"),
        left("READS"),
        right("LAG"),
        right("LAST COMMIT"),
    ]);
    for stage in &survey.stages {
        let bad = has_problem(&stage.name);
        let lag = right(&grouped(stage.lag.max(0).unsigned_abs()));
        let lag = match stage.lag {
            1.. if !bad => lag.fg(Color::DarkYellow),
            _ => mark(lag, bad),
        };
        let commit = stage
            .seconds_since_commit
            .map_or_else(|| "never".to_owned(), |secs| format!("{} ago", span(secs)));
        stages.add_row([
            mark(left(&format!("{}/{}", stage.name, stage.partition)), bad),
            left(&stage.topic).add_attribute(Attribute::Dim),
            lag,
            mark(right(&commit), bad),
        ]);
    }
    write_table(&stages, out)?;

    let mut layers = table([left("LAYER"), right("ROWS"), right("FILES"), right("SIZE")]);
    for layer in &survey.lake {
        layers.add_row([
            left(&layer.name),
            right(&grouped(layer.rows)),
            right(&grouped(layer.files)),
            right(&BinaryBytes(layer.bytes).to_string()),
        ]);
    }
    write_table(&layers, out)?;

    if let Some(freshness) = &survey.freshness {
        write_table(&freshness_table(freshness), out)?;
    }

    let models = survey
        .models
        .iter()
        .map(|model| format!("model {model} serves"));
    let mlflow = report.mlflow.iter().map(ToString::to_string);
    let drift = report.drift.iter().map(drift_line);
    let lines: Vec<_> = models.chain(mlflow).chain(drift).collect();
    for line in &lines {
        writeln!(out, "{}", one_line(line))?;
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }

    for note in &report.notes {
        writeln!(out, "note     {}", one_line(note))?;
    }
    for warning in &report.warnings {
        writeln!(out, "{WARNING}warning{WARNING:#}  {}", one_line(warning))?;
    }
    for problem in &survey.problems {
        writeln!(out, "{BAD}problem{BAD:#}  {}", one_line(&problem.message))?;
    }
    match survey.ok {
        true => writeln!(out, "{GOOD}Healthy{GOOD:#}"),
        false => writeln!(out, "{BAD}Not healthy{BAD:#}"),
    }
}

/// The market, and the coins whose ticks are older than is normal.
fn freshness_table(freshness: &Freshness) -> Table {
    let ago = |secs| format!("{} ago", span(secs));
    let mut ticks = table([left("FRESHNESS"), right("NEWEST TICK"), right("ARRIVED")]);
    let newest = freshness.newest_tick_seconds.map_or_else(String::new, ago);
    ticks.add_row([
        mark(
            left(&counted(freshness.coins.len() as u64, "coin")),
            freshness.silent,
        ),
        mark(right(&newest), freshness.silent),
        mark(
            right(&ago(freshness.seconds_since_arrival)),
            freshness.silent,
        ),
    ]);
    if freshness.silent {
        return ticks; // every coin is old
    }
    let old = freshness
        .coins
        .iter()
        .take_while(|coin| coin.seconds > freshness.patience_seconds);
    for coin in old.take(OLD_COINS_MAX) {
        ticks.add_row([
            left(&coin.coin).add_attribute(Attribute::Dim),
            right(&ago(coin.seconds)).fg(Color::DarkYellow),
            right(""),
        ]);
    }
    ticks
}

fn table<const COLUMNS: usize>(header: [Cell; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).enforce_styling();
    // On a narrow terminal cells are wrapped, not lines.
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.style_text_only();
    table.set_header(header.map(|title| {
        match title.content().is_empty() {
            true => title,
            false => title
                .add_attribute(Attribute::Bold)
                .add_attribute(Attribute::Underlined),
        }
    }));
    for column in table.column_iter_mut() {
        column.set_padding((0, COLUMN_GAP));
    }
    table
}

/// Writes a table and an empty line; nothing for a table without rows.
fn write_table(table: &Table, out: &mut String) -> fmt::Result {
    match table.is_empty() {
        true => Ok(()),
        false => writeln!(out, "{}\n", table.trim_fmt()),
    }
}

fn left(text: &str) -> Cell {
    Cell::new(one_line(text))
}

fn right(text: &str) -> Cell {
    left(text).set_alignment(CellAlignment::Right)
}

fn mark(cell: Cell, bad: bool) -> Cell {
    match bad {
        true => cell.fg(Color::DarkRed).add_attribute(Attribute::Bold),
        false => cell,
    }
}

/// Names come from a cluster and must not move the cursor.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}

/// A duration in its largest sensible unit.
fn span(secs: u64) -> String {
    match secs {
        0..120 => format!("{secs} s"),
        120..7_200 => format!("{} min", secs / 60),
        7_200..172_800 => format!("{} h", secs / 3_600),
        _ => format!("{} days", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use survey::{CoinAge, Freshness, LakeLayer, Problem, SmartModule, Stage, Survey, Topic};

    use super::*;

    fn report() -> HealthReport {
        let topic = |name: &str, records| Topic {
            name: name.to_owned(),
            partitions: 1,
            records,
        };
        let stage = |name: &str, lag, ago| Stage {
            name: name.to_owned(),
            topic: "crypto-raw".to_owned(),
            partition: 0,
            lag,
            committed_offset: Some(7),
            seconds_since_commit: ago,
        };
        let survey = Survey {
            ok: false,
            problems: vec![Problem {
                about: "stage-clean".to_owned(),
                message: "stage stage-clean is behind\u{1b}[2J: is it running?".to_owned(),
            }],
            topics: vec![topic("crypto-raw", 1_234_567), topic("crypto-clean", 0)],
            smartmodules: vec![SmartModule {
                name: "crypto-clean".to_owned(),
                present: true,
            }],
            stages: vec![
                stage("stage-raw", 0, Some(59)),
                stage("stage-clean", 1_200, None),
            ],
            lake: vec![LakeLayer {
                name: "raw".to_owned(),
                rows: 1_234_567,
                files: 12,
                bytes: 3_456_789,
            }],
            models: vec!["trend_up/2".to_owned()],
            freshness: Some(Freshness {
                newest_tick_seconds: Some(182),
                seconds_since_arrival: 12,
                patience_seconds: 600,
                silent: false,
                coins: [("tether-gold", 2_100), ("bitcoin", 182)]
                    .map(|(coin, seconds)| CoinAge {
                        coin: coin.to_owned(),
                        seconds,
                    })
                    .to_vec(),
            }),
        };
        HealthReport {
            survey,
            warnings: vec!["a model is old".to_owned()],
            notes: vec!["notify: 2 alerts were not sent".to_owned()],
            ..HealthReport::default()
        }
    }

    #[test]
    fn the_screen_shows_every_part() {
        let screen = strip_str(&render(&report())).to_string();
        assert_eq!(
            screen,
            "\
TOPIC         PARTITIONS    RECORDS
crypto-raw             1  1,234,567
crypto-clean           1          0

SMARTMODULE
crypto-clean  present

STAGE          READS         LAG  LAST COMMIT
stage-raw/0    crypto-raw      0     59 s ago
stage-clean/0  crypto-raw  1,200        never

LAYER       ROWS  FILES      SIZE
raw    1,234,567     12  3.30 MiB

FRESHNESS    NEWEST TICK   ARRIVED
2 coins        3 min ago  12 s ago
tether-gold   35 min ago

model trend_up/2 serves

note     notify: 2 alerts were not sent
warning  a model is old
problem  stage stage-clean is behind [2J: is it running?
Not healthy
"
        );
    }

    #[test]
    fn problems_are_red_and_lags_yellow() {
        let screen = render(&report());
        assert!(
            screen.contains("\u{1b}[38;5;1m\u{1b}[1mstage-clean/0\u{1b}[0m"),
            "{screen:?}"
        );
        let mut report = report();
        report.survey.problems.clear();
        report.survey.ok = true;
        let screen = render(&report);
        assert!(screen.contains("\u{1b}[38;5;3m1,200\u{1b}["), "{screen:?}");
        assert!(screen.contains(&format!("{GOOD}Healthy{GOOD:#}")));
    }
}
