use proptest::prelude::*;
use serde_json::json;

use super::condition::{Comparison, Op, Term};
use super::*;

fn rules(list: serde_json::Value) -> Result<Rules, RulesError> {
    Rules::parse(&list.to_string())
}

/// What is wrong with a list, a line a problem.
fn problems(list: serde_json::Value) -> Vec<String> {
    let error = rules(list).unwrap_err();
    error.0.iter().map(ToString::to_string).collect()
}

fn when(text: &str) -> Rules {
    rules(json!([{"name": "r", "when": text}])).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn row(fields: &[(&str, f64)]) -> Numbers {
    let mut numbers = Numbers::default();
    for (name, number) in fields {
        numbers.set(Field::named(name).unwrap(), Some(*number));
    }
    numbers
}

fn held(rules: &Rules, coin: &str, row: &Numbers) -> Vec<String> {
    let holding = rules.holding(coin, row).into_iter();
    holding
        .map(|place| rules.list()[usize::from(place)].name().to_owned())
        .collect()
}

#[track_caller]
fn holds(text: &str, fields: &[(&str, f64)]) -> bool {
    !held(&when(text), "bitcoin", &row(fields)).is_empty()
}

#[test]
fn comparisons_are_exact_at_equality() {
    for (op, less, equal, greater) in [
        ("<", true, false, false),
        ("<=", true, true, false),
        (">", false, false, true),
        (">=", false, true, true),
    ] {
        for (price, expected) in [(1.0, less), (2.0, equal), (3.0, greater)] {
            assert_eq!(
                holds(&format!("price {op} 2"), &[("price", price)]),
                expected
            );
            // The same from the other side, and between fields.
            let fields = [("ma_1m", 2.0), ("price", price)];
            assert_eq!(holds(&format!("price {op} ma_1m"), &fields), expected);
            let fields = [("ma_1m", price), ("price", 2.0)];
            assert_eq!(holds(&format!("ma_1m {op} abs(price)"), &fields), expected);
            assert_eq!(holds(&format!("{price} {op} price"), &fields), expected);
        }
    }
}

#[test]
fn crossings_are_exact_at_equality() {
    let (above, below) = ("price crosses_above 60000", "price crosses_below 6e4");
    for (before, price, rises, falls) in [
        (59_999.0, 60_000.0, false, false),
        (60_000.0, 60_000.0, false, false),
        (60_000.0, 60_000.1, true, false),
        (60_000.0, 59_999.9, false, true),
        (59_999.0, 60_001.0, true, false),
        (60_001.0, 59_999.0, false, true),
        (60_001.0, 60_000.0, false, false),
        (60_001.0, 60_002.0, false, false),
        (59_999.0, 59_998.0, false, false),
    ] {
        let fields = [("price_prev", before), ("price", price)];
        assert_eq!(holds(above, &fields), rises, "{before} {price}");
        assert_eq!(holds(below, &fields), falls, "{before} {price}");
    }
    let fields = [("price_prev", 1.0), ("price", 3.0), ("ma_15m", 2.0)];
    assert!(holds("price crosses_above ma_15m", &fields));
}

#[test]
fn a_null_makes_a_comparison_false() {
    for op in Op::ALL {
        let op = op.as_str();
        assert!(!holds(&format!("price {op} 2"), &[]));
        assert!(!holds(
            &format!("price {op} ma_1m"),
            &[("price", 2.0), ("price_prev", 2.0)]
        ));
    }
    assert!(
        !holds("price crosses_below 2", &[("price", 1.0)]),
        "the price before is null"
    );
    assert!(!holds("abs(return_5m) < 1", &[("price", 1.0)]));
    assert!(!holds("price > 0 and volume_surge <= 9", &[("price", 1.0)]));
}

#[test]
fn fields_counts_and_absolute_values_are_compared() {
    let row = [
        ("return_5m", -0.06),
        ("samples_15m", 3.0),
        ("change_24h_pct", 4.0),
    ];
    assert!(holds("abs(return_5m) >= 0.05 and samples_15m >= 3", &row));
    assert!(!holds("return_5m >= 0.05", &row));
    assert!(holds(
        "  return_5m<-.05\n and\tabs ( change_24h_pct )>+1e-2 ",
        &row
    ));
    assert!(holds("-0.06 >= return_5m", &row));
}

#[test]
fn a_rule_is_about_its_coins_and_the_list_keeps_its_order() {
    let rules = rules(json!([
        {"name": "both", "coins": ["ethereum", "bitcoin", "bitcoin"], "when": "price > 1"},
        {"name": "all", "when": "price > 1", "coins": null},
        {"name": "btc", "coins": ["bitcoin"], "when": "price > 1", "severity": "critical", "repeat": "2h"},
        {"name": "everyone", "coins": [], "when": "price > 1", "replaces": "price_move"},
    ]))
    .unwrap();
    let row = row(&[("price", 2.0)]);
    assert_eq!(
        held(&rules, "bitcoin", &row),
        ["both", "all", "btc", "everyone"]
    );
    assert_eq!(held(&rules, "ethereum", &row), ["both", "all", "everyone"]);
    assert_eq!(held(&rules, "solana", &row), ["all", "everyone"]);
    let list = rules.list();
    assert_eq!(list[2].kind(), "rule:btc");
    assert_eq!(list[2].repeat.as_secs(), 7200);
    assert_eq!(list[0].repeat.as_secs(), 3600);
    assert_eq!(
        (list[0].severity.as_str(), list[2].severity.as_str()),
        ("warning", "critical")
    );
    assert_eq!(rules.repeat_of("btc").as_secs(), 7200);
    assert_eq!(rules.repeat_of("of another platform").as_secs(), 3600);
    assert_eq!(rules.longest_repeat().as_secs(), 7200);
    let names: Vec<_> = rules.fields().map(Field::name).collect();
    assert_eq!(names, ["price"]);
}

#[test]
fn every_bad_condition_is_refused_with_place_and_what_is_known_there() {
    for (text, at, problem) in [
        (
            "",
            1,
            "it ends where more is expected; known here: a number, abs(field), price,",
        ),
        (
            "price",
            6,
            "it ends where more is expected; known here: <, <=, >, >=, crosses_above",
        ),
        ("price  ", 8, "it ends"),
        (
            "price <",
            8,
            "it ends where more is expected; known here: a number",
        ),
        (
            "prize < 1",
            1,
            "`prize` is unknown; known here: a number, abs(field), price, market_cap",
        ),
        ("price = 1", 7, "`=` is unknown; known here: <, <=, >, >=,"),
        ("price => 1", 7, "`=>` is unknown"),
        ("price falls_below 1", 7, "`falls_below` is unknown"),
        (
            "price < 60,000",
            9,
            "`60,000` is unknown; known here: a number",
        ),
        ("price < 60k", 9, "`60k` is unknown"),
        ("price < $5", 9, "`$5` is unknown"),
        ("price < inf", 9, "`inf` is unknown"),
        ("price < nan", 9, "`nan` is unknown"),
        ("price < 1e999", 9, "`1e999` is unknown"),
        (
            "price < 1 or price > 2",
            11,
            "`or` is unknown; known here: `and` or the end",
        ),
        ("price < 1 AND price > 2", 11, "`AND` is unknown"),
        ("price < 1 and", 14, "it ends"),
        (
            "1 < 2",
            5,
            "`2` is compared with a number; known here: price,",
        ),
        ("abs price > 1", 5, "`price` is unknown; known here: `(`"),
        ("abs(5) > 1", 5, "`5` is unknown; known here: price"),
        ("abs(price > 1", 11, "`>` is unknown; known here: `)`"),
        ("(price > 1)", 1, "`(` is unknown"),
        (
            "volume_24h crosses_above 1",
            1,
            "`volume_24h` cannot cross: only of the price",
        ),
        (
            "price > 0 and abs(price) crosses_above 1",
            15,
            "`abs(price)` cannot cross",
        ),
        ("5 crosses_above price", 1, "`5` cannot cross"),
        ("price < 1 and ünter > 1", 15, "`ünter` is unknown"),
        ("äö \u{7}", 1, "`äö` is unknown"),
    ] {
        let error = rules(json!([{"name": "r", "when": text}])).unwrap_err();
        let [found] = &*error.0 else {
            panic!("{text}: {error}")
        };
        assert_eq!(found.position, Some(at), "{text}: {error}");
        assert!(found.problem.starts_with(problem), "{text}: {error}");
        let whole = format!("rule `r`: `when`, character {at}: {problem}");
        assert!(error.to_string().starts_with(&whole), "{error}");
    }
}

#[test]
fn every_bad_rule_is_refused_at_once() {
    let long = "x".repeat(65);
    let found = problems(json!([
        {"name": "ok", "when": "price > 1"},
        {"name": "BTC 60k", "when": "price > 1"},
        {"name": "", "when": "price > 1"},
        {"name": long, "when": "price > 1"},
        {"name": "ok", "when": "price > 1"},
        {"when": "price > 1"},
        {"name": 5},
        "text",
        {"name": "many", "when": "price ! 1", "severity": "loud", "coin": "bitcoin", "coins": "bitcoin",
            "replaces": "price", "repeat": "often"},
        {"name": "null", "when": null, "coins": ["bitcoin", ""], "repeat": "32days"},
    ]));
    let expected = [
        "rule `BTC 60k`: `name` is `BTC 60k`: give 1 to 64 lower-case letters, digits and `-`",
        "rule ``: `name` is ``: give",
        "rule `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`: `name` is `x",
        "rule `ok`: the name `ok` is another rule's, too",
        "rule 6: `name` is missing: give",
        "rule 7: `when` is missing: give a condition",
        "rule 7: `name` is `5`: give",
        "rule 8: not an object with the keys name, coins, when, severity, replaces, repeat",
        "rule `many`: unknown key `coin`; known here: name, coins,",
        "rule `many`: `coins` is `\\\"bitcoin\\\"`: give a list of CoinGecko ids",
        "rule `many`: `severity` is `loud`; known here: info, warning, critical",
        "rule `many`: `replaces` is `price`; known here: price_spike, price_move, volume_spike",
        "rule `many`: `repeat` is `often`: give a duration up to 31 days",
        "rule `many`: `when`, character 7: `!` is unknown",
        "rule `null`: `coins` is",
        "rule `null`: `repeat` is `32days`",
        "rule `null`: `when` is missing",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn a_list_has_its_limits() {
    let rule = |n: usize| json!({"name": format!("r{n}"), "when": "price > 1"});
    let list = |count| serde_json::Value::Array((0..count).map(rule).collect());
    assert_eq!(rules(list(200)).unwrap().list().len(), 200);
    assert_eq!(
        problems(list(201)),
        ["there are 201 rules: at most 200 are taken"]
    );
    assert!(Rules::parse(&format!("[]{}", " ".repeat(32_767 - 2))).is_ok());
    let error = Rules::parse(&format!("[]{}", " ".repeat(32_767 - 1))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rules have 32768 bytes: at most 32767 are taken"
    );
    for (text, problem) in [
        ("", "the rules are not JSON: "),
        ("[", "the rules are not JSON: "),
        ("{}", "the rules are no list such as "),
    ] {
        let error = Rules::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(problem), "{error}");
    }
    assert!(Rules::parse("[]").unwrap().is_empty());
}

/// A text is a condition or is refused with a place within it.
fn check_text(text: &str) {
    match Condition::parse(text) {
        Ok(condition) => assert_eq!(Condition::parse(&condition.to_string()), Ok(condition)),
        Err(misread) => {
            let end = text.chars().count() + 1;
            assert!((1..=end).contains(&misread.at), "{text:?}: {misread:?}");
            assert!(
                misread.problem.contains("known here: "),
                "{text:?}: {misread:?}"
            );
        }
    }
}

/// Texts that are nearly conditions.
fn near_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        6 => prop::sample::select(Field::all().map(Field::name).collect::<Vec<_>>()).prop_map(str::to_owned),
        6 => prop::sample::select(Op::ALL.map(Op::as_str).to_vec()).prop_map(str::to_owned),
        4 => prop::sample::select(vec!["and", "abs", "(", ")", "abs(price)", "price", "-1", "6e4", "=", "é"])
            .prop_map(str::to_owned),
        1 => any::<f64>().prop_map(|number| number.to_string()),
        1 => any::<String>(),
    ];
    prop::collection::vec((word, prop::sample::select(vec![" ", "", "\t"])), 0..9).prop_map(
        |words| {
            words
                .into_iter()
                .flat_map(|(word, space)| [word, space.to_owned()])
                .collect()
        },
    )
}

fn field() -> impl Strategy<Value = Field> {
    prop::sample::select(Field::all().collect::<Vec<_>>())
}

/// Few values, so that many are equal.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => prop::sample::select(vec![-2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, 60_000.0]),
        1 => prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL,
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    let term = prop_oneof![field().prop_map(Term::Field), field().prop_map(Term::Abs)];
    let either = prop_oneof![number().prop_map(Term::Number), term.clone()];
    (
        term,
        prop::sample::select(Op::ALL.to_vec()),
        either,
        any::<bool>(),
    )
        .prop_map(|(left, op, right, turned)| match (op.crosses(), turned) {
            (true, _) => Comparison {
                left: Term::Field(Field::PRICE),
                op,
                right,
            },
            (false, true) => Comparison {
                left: right,
                op,
                right: left,
            },
            (false, false) => Comparison { left, op, right },
        })
}

/// The definition, word for word.
fn naive(comparison: &Comparison, row: &Numbers) -> bool {
    let value = |term: Term| match term {
        Term::Number(number) => Some(number),
        Term::Field(field) => row.get(field),
        Term::Abs(field) => row.get(field).map(f64::abs),
    };
    let (Some(left), Some(right)) = (value(comparison.left), value(comparison.right)) else {
        return false;
    };
    let before = row.get(Field::PRICE_PREV);
    match comparison.op {
        Op::Less => left < right,
        Op::AtMost => left <= right,
        Op::Greater => left > right,
        Op::AtLeast => left >= right,
        Op::CrossesAbove => before.is_some_and(|before| before <= right) && left > right,
        Op::CrossesBelow => before.is_some_and(|before| before >= right) && left < right,
    }
}

proptest! {
    #![proptest_config(crate::property::cases(2_000))]

    #[test]
    fn any_text_is_read_or_refused_with_its_place(text: String, near in near_text()) {
        check_text(&text);
        check_text(&near);
    }

    #[test]
    fn any_list_is_read_or_refused(text in prop_oneof![
        any::<String>(),
        near_text().prop_map(|when| json!([{"name": "r", "when": when, "coins": [when]}]).to_string()),
        "[\\[\\]{}\":, a-z0-9]{0,40}",
    ]) {
        if let Err(error) = Rules::parse(&text) {
            prop_assert!(!error.0.is_empty());
        }
    }

    #[test]
    fn a_verdict_is_that_of_the_definition(
        conditions in prop::collection::vec(
            (prop::collection::vec(comparison(), 1..4), prop::collection::vec("[abc]", 0..3)), 0..12
        ),
        row in prop::collection::vec((field(), prop::option::weighted(0.9, number())), 0..60),
    ) {
        let list: Vec<_> = conditions
            .iter()
            .enumerate()
            .map(|(n, (comparisons, coins))| {
                let when = Condition(comparisons.clone()).to_string();
                json!({"name": format!("r{n}"), "when": when, "coins": coins})
            })
            .collect();
        let rules = rules(list.into()).unwrap();
        let mut numbers = Numbers::default();
        for (field, number) in row {
            numbers.set(field, number);
        }
        for coin in ["a", "b", "d"] {
            let expected: Vec<String> = conditions
                .iter()
                .enumerate()
                .filter(|(_, (_, coins))| coins.is_empty() || coins.iter().any(|it| it == coin))
                .filter(|(_, (comparisons, _))| comparisons.iter().all(|it| naive(it, &numbers)))
                .map(|(n, _)| format!("r{n}"))
                .collect();
            prop_assert_eq!(held(&rules, coin, &numbers), expected);
        }
    }
}

/// Ten million texts: `cargo test --release -p market --lib ten_million -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn ten_million_texts_are_read_or_refused_with_their_place() {
    const TEXTS: u64 = 10_000_000;
    const SEED: u64 = 1;
    let words: Vec<&str> = Field::all()
        .map(Field::name)
        .chain(Op::ALL.map(Op::as_str))
        .chain([
            "and",
            "abs",
            "(",
            ")",
            "abs(price)",
            "price",
            "60000",
            "-1",
            "1e",
            "é",
            "\u{0}",
            "\u{1f600}",
        ])
        .collect();
    // splitmix64: the standard library has no generator.
    let mut state = SEED;
    let mut random = |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    };
    let (mut text, mut read) = (String::new(), 0_u64);
    for _ in 0..TEXTS {
        text.clear();
        for _ in 0..random(8) {
            match random(8) {
                // A sound comparison, so that some texts get far.
                0..=3 => {
                    text.push_str(words[random(words.len())]);
                    text.push_str([" < ", ">=", " crosses_above "][random(3)]);
                    text.push_str(["1", "-2e3", "ma_1m", "abs(price)"][random(4)]);
                    text.push_str([" and ", " "][random(2)]);
                }
                4 | 5 => text.push_str(words[random(words.len())]),
                6 => text.push(' '),
                _ => text.extend(char::from_u32(random(0x3000) as u32)),
            }
        }
        check_text(&text);
        read += u64::from(Condition::parse(&text).is_ok());
    }
    println!("{TEXTS} texts of seed {SEED}, {read} of them conditions");
    assert!(read > TEXTS / 1000 && read < TEXTS / 2, "{read}");
}
