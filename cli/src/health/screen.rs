//! What was found, on one screen.
//!
//! Colours are written here and taken out where stdout is no terminal, or `NO_COLOR` is set, by whoever prints.

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style};
use bytesize::ByteSize;

use super::Health;

const HEAD: Style = Style::new().bold().underline();
const FAINT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const WORK: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const PLAIN: Style = Style::new();

/// The whole screen, its last line ended.
pub fn render(health: &Health) -> String {
    let mut screen = String::new();
    // Writing into a String cannot fail.
    let _ = write(health, &mut screen);
    screen
}

fn write(health: &Health, out: &mut String) -> fmt::Result {
    let survey = &health.survey;
    let about = |name: &str| survey.problems.iter().any(|problem| problem.about == name);
    let style = |name: &str| if about(name) { BAD } else { PLAIN };

    let mut table = Table::new(["TOPIC", "PARTITIONS", "RECORDS"]);
    for topic in &survey.topics {
        let style = style(&topic.name);
        table.row([
            (topic.name.clone(), style),
            (topic.partitions.to_string(), style),
            (grouped(topic.records.max(0).unsigned_abs()), style),
        ]);
    }
    table.write(out)?;

    let mut table = Table::new(["SMARTMODULE", ""]);
    for module in &survey.smartmodules {
        let (state, style) = match module.present {
            true => ("present", PLAIN),
            false => ("missing", BAD),
        };
        table.row([(module.name.clone(), style), (state.to_owned(), style)]);
    }
    table.write(out)?;

    let mut table = Table::new(["STAGE", "READS", "LAG", "LAST COMMIT"]);
    for stage in &survey.stages {
        let lag = match (about(&stage.name), stage.lag) {
            (true, _) => BAD,
            (false, 0) => PLAIN,
            (false, _) => WORK,
        };
        let commit = stage
            .seconds_since_commit
            .map_or_else(|| "never".to_owned(), |secs| format!("{} ago", span(secs)));
        table.row([
            (
                format!("{}/{}", stage.name, stage.partition),
                style(&stage.name),
            ),
            (stage.topic.clone(), FAINT),
            (grouped(stage.lag.max(0).unsigned_abs()), lag),
            (commit, style(&stage.name)),
        ]);
    }
    table.write(out)?;

    let mut table = Table::new(["LAYER", "ROWS", "FILES", "SIZE"]);
    for layer in &survey.lake {
        table.row([
            (layer.name.clone(), PLAIN),
            (grouped(layer.rows), PLAIN),
            (grouped(layer.files), PLAIN),
            (ByteSize(layer.bytes).to_string_as(false), PLAIN),
        ]);
    }
    table.write(out)?;

    let models = survey
        .models
        .iter()
        .map(|model| format!("model {model} serves"));
    let mlflow = health.mlflow.iter().map(ToString::to_string);
    let drift = health.drift.iter().map(ToString::to_string);
    let mut any = false;
    for line in models.chain(mlflow).chain(drift) {
        writeln!(out, "{}", one_line(&line))?;
        any = true;
    }
    if any {
        writeln!(out)?;
    }

    for warning in &health.warnings {
        writeln!(out, "{WORK}warning{WORK:#}  {}", one_line(warning))?;
    }
    for problem in &survey.problems {
        writeln!(out, "{BAD}problem{BAD:#}  {}", one_line(&problem.message))?;
    }
    match survey.ok {
        true => writeln!(out, "{GOOD}healthy{GOOD:#}"),
        false => writeln!(out, "{BAD}not healthy{BAD:#}"),
    }
}

/// Columns as wide as their widest cell, the first two to the left, the others to the right.
struct Table<const N: usize> {
    head: [&'static str; N],
    rows: Vec<[(String, Style); N]>,
}

impl<const N: usize> Table<N> {
    fn new(head: [&'static str; N]) -> Self {
        Self {
            head,
            rows: Vec::new(),
        }
    }

    fn row(&mut self, row: [(String, Style); N]) {
        self.rows
            .push(row.map(|(text, style)| (one_line(&text), style)));
    }

    /// Writes the table and an empty line; nothing when it has no row.
    fn write(&self, out: &mut String) -> fmt::Result {
        if self.rows.is_empty() {
            return Ok(());
        }
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].0.chars().count());
            cells.fold(self.head[column].len(), usize::max)
        };
        let widths: [usize; N] = std::array::from_fn(width);
        // A header that is empty stands over words, too.
        let to_the_left = |column: usize| column == 0 || matches!(self.head[column], "" | "READS");
        let mut line = |cells: [(&str, Style); N]| {
            for (column, (text, style)) in cells.into_iter().enumerate() {
                let room = widths[column] - text.chars().count();
                let (before, after) = match to_the_left(column) {
                    true => (0, room),
                    false => (room, 0),
                };
                write!(out, "{:before$}{style}{text}{style:#}{:after$}  ", "", "")?;
            }
            out.truncate(out.trim_end_matches(' ').len());
            writeln!(out)
        };
        line(
            self.head
                .map(|head| (head, if head.is_empty() { PLAIN } else { HEAD })),
        )?;
        for row in &self.rows {
            line(std::array::from_fn(|column| {
                (row[column].0.as_str(), row[column].1)
            }))?;
        }
        writeln!(out)
    }
}

/// Names come from a cluster: none may move the cursor.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Seconds as people say them.
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
    use survey::{LakeLayer, Problem, SmartModule, Stage, Survey, Topic};

    use super::*;

    fn health() -> Health {
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
        };
        Health {
            survey,
            warnings: vec!["a model is old".to_owned()],
            ..Health::default()
        }
    }

    #[test]
    fn everything_is_on_one_screen() {
        let screen = strip_str(&render(&health())).to_string();
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

LAYER       ROWS  FILES    SIZE
raw    1,234,567     12  3.5 MB

model trend_up/2 serves

warning  a model is old
problem  stage stage-clean is behind [2J: is it running?
not healthy
"
        );
    }

    #[test]
    fn what_is_wrong_is_red_and_what_is_under_way_yellow() {
        let screen = render(&health());
        let bad = format!("{BAD}stage-clean/0{BAD:#}");
        assert!(screen.contains(&bad), "{screen:?}");
        let mut health = health();
        health.survey.problems.clear();
        health.survey.ok = true;
        let screen = render(&health);
        assert!(
            screen.contains(&format!("{WORK}1,200{WORK:#}")),
            "{screen:?}"
        );
        assert!(screen.contains(&format!("{GOOD}healthy{GOOD:#}")));
    }
}
