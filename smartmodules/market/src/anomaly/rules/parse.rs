//! The language of `when`: `term op term {and term op term}`.

use super::condition::{Comparison, Condition, Op, Term};
use crate::rows::Field;

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misread {
    /// The character of the text where it goes wrong, from 1; one behind the last where it ends too soon.
    pub(super) at: usize,
    /// What is there, and what is known there.
    pub(super) problem: String,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// With the place and what is known there.
    pub(super) fn parse(text: &str) -> Result<Self, Misread> {
        let mut words = Words::new(text);
        let mut comparisons = vec![words.comparison()?];
        while let Some((at, word)) = words.next() {
            if word != "and" {
                return Err(unknown(at, word, "`and` or the end"));
            }
            comparisons.push(words.comparison()?);
        }
        Ok(Self(comparisons))
    }
}

/// The words of a text: names, numbers, operators, parentheses.
struct Words<'a> {
    rest: &'a str,
    /// The place of `rest`, in characters from 1.
    at: usize,
}

/// The kinds of characters that one word is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Space,
    /// Of names and numbers.
    Letter,
    /// Of operators.
    Sign,
    /// A word of its own.
    Other,
}

impl Kind {
    fn of(char: char) -> Self {
        match char {
            char if char.is_whitespace() => Self::Space,
            '<' | '>' | '=' | '!' => Self::Sign,
            // What is in no number is read with it, so that the error shows all of it.
            char if char.is_alphanumeric() || "_.+-,%$".contains(char) => Self::Letter,
            _ => Self::Other,
        }
    }
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text, at: 1 }
    }

    /// The next word with its place; `None` at the end.
    fn next(&mut self) -> Option<(usize, &'a str)> {
        self.skip(|kind| kind == Kind::Space);
        let first = Kind::of(self.rest.chars().next()?);
        let at = self.at;
        let word = match first {
            Kind::Other => self.skip_chars(1),
            _ => self.skip(|kind| kind == first),
        };
        Some((at, word))
    }

    /// The next word, of which there must be one.
    fn expect(&mut self, known: &str) -> Result<(usize, &'a str), Misread> {
        self.next().ok_or_else(|| Misread {
            at: self.at,
            problem: format!("it ends where more is expected; known here: {known}"),
        })
    }

    fn skip(&mut self, is_of_it: impl Fn(Kind) -> bool) -> &'a str {
        let chars = self.rest.chars();
        let count = chars.take_while(|char| is_of_it(Kind::of(*char))).count();
        self.skip_chars(count)
    }

    fn skip_chars(&mut self, count: usize) -> &'a str {
        let end = self.rest.char_indices().nth(count);
        let (word, rest) = self
            .rest
            .split_at(end.map_or(self.rest.len(), |(end, _)| end));
        self.rest = rest;
        self.at += count;
        word
    }

    fn comparison(&mut self) -> Result<Comparison, Misread> {
        let (left_at, left) = self.term()?;
        let operators = Op::ALL.map(Op::as_str).join(", ");
        let (op_at, word) = self.expect(&operators)?;
        let op = Op::ALL.into_iter().find(|op| op.as_str() == word);
        let op = op.ok_or_else(|| unknown(op_at, word, &operators))?;
        if op.crosses() && left != Term::Field(Field::PRICE) {
            return Err(Misread {
                at: left_at,
                problem: format!(
                    "`{left}` cannot cross: only of the price it is known what it was before; known here: price"
                ),
            });
        }
        let (right_at, right) = self.term()?;
        if left.field().is_none() && right.field().is_none() {
            return Err(Misread {
                at: right_at,
                problem: format!(
                    "`{right}` is compared with a number; known here: {}",
                    fields()
                ),
            });
        }
        Ok(Comparison { left, op, right })
    }

    fn term(&mut self) -> Result<(usize, Term), Misread> {
        let known = || format!("a number, abs(field), {}", fields());
        let (at, word) = self.expect(&known())?;
        let term = if word == "abs" {
            self.literal("(")?;
            let (at, name) = self.expect(&fields())?;
            let field = Field::named(name).ok_or_else(|| unknown(at, name, &fields()))?;
            self.literal(")")?;
            Term::Abs(field)
        } else if let Some(field) = Field::named(word) {
            Term::Field(field)
        } else if let Some(number) = number(word) {
            Term::Number(number)
        } else {
            return Err(unknown(at, word, &known()));
        };
        Ok((at, term))
    }

    fn literal(&mut self, wanted: &str) -> Result<(), Misread> {
        let known = format!("`{wanted}`");
        let (at, word) = self.expect(&known)?;
        match word == wanted {
            true => Ok(()),
            false => Err(unknown(at, word, &known)),
        }
    }
}

/// A finite number in the usual forms: `60000`, `-0.05`, `6e4`.
fn number(word: &str) -> Option<f64> {
    let usual = |char: char| char.is_ascii_digit() || "+-.eE".contains(char);
    let number: f64 = word.chars().all(usual).then(|| word.parse().ok())??;
    number.is_finite().then_some(number)
}

/// The names of the fields.
fn fields() -> String {
    Field::all().map(Field::name).collect::<Vec<_>>().join(", ")
}

fn unknown(at: usize, word: &str, known: &str) -> Misread {
    Misread {
        at,
        problem: format!("`{}` is unknown; known here: {known}", shown(word)),
    }
}

/// A word as errors show it: what is no print is escaped, what is long is cut.
pub(super) fn shown(word: &str) -> String {
    const CHARS_MAX: usize = 40;
    let mut shown: String = word.chars().take(CHARS_MAX).collect();
    if shown.len() < word.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}
