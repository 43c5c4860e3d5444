//! docs/metrics.md, made from what the sources describe. `cargo xtask docs` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::generated::assert_up_to_date;
use crate::workspace::{files, root};

/// Which process a metric's name begins with, longest first.
const PROCESSES: &[(&str, &str)] = &[
    ("coingecko_source_", "coingecko-source"),
    ("parquet_sink_", "parquet-sink (a stage)"),
    ("coinlake_notify_", "coinlake notify"),
    ("coinlake_console_", "coinlake console"),
    ("coinlake_model_", "coinlake console"),
    ("coinlake_train_", "coinlake train run"),
    ("coinlake_broker_", "The broker of demo and up"),
    ("coinlake_disk_", "coinlake up"),
    ("coinlake_", "Every process"),
];

#[test]
fn the_page_of_metrics_is_up_to_date() {
    assert_up_to_date("docs/metrics.md", &page());
}

fn page() -> String {
    let mut metrics = Metrics::default();
    for folder in ["cli/src", "connectors", "console/src", "standalone"] {
        for file in files(&root().join(folder), "rs") {
            let text = fs::read_to_string(&file).expect("the file is readable");
            metrics.visit_file(&syn::parse_file(&text).expect("the file is Rust"));
        }
    }
    let mut page = String::from(
        "# Metrics\n\n\
         Made by `cargo xtask docs` from the descriptions in the code: change those, not this page.\n\n\
         Every process serves them at `/metrics` of `--metrics-listen`; `demo` and `up` serve those of all their parts. Beside them stand \
         the usual `process_…` ones: memory, processor time, open files.\n",
    );
    for (prefix, process) in PROCESSES {
        let named = |name: &str| {
            let of = PROCESSES
                .iter()
                .find(|(prefix, _)| name.starts_with(prefix));
            of.is_some_and(|(of, _)| of == prefix)
        };
        let heading = format!("\n## {process}\n");
        if !page.contains(&heading) {
            let _ = writeln!(
                page,
                "{heading}\n| metric | kind | labels | meaning |\n|---|---|---|---|"
            );
        }
        for (name, metric) in metrics.described.iter().filter(|(name, _)| named(name)) {
            let labels = metrics.labels.get(name).into_iter().flatten();
            let labels: Vec<_> = labels.map(|label| format!("`{label}`")).collect();
            let Metric { kind, meaning } = metric;
            let _ = writeln!(
                page,
                "| `{name}` | {kind} | {} | {meaning} |",
                labels.join(", ")
            );
        }
    }
    page
}

#[derive(Default)]
struct Metrics {
    described: BTreeMap<String, Metric>,
    labels: BTreeMap<String, BTreeSet<String>>,
    /// Those of the last `let labels = [("stage", …), …]`, which macros refer to as `&labels`.
    shared: Vec<String>,
}

struct Metric {
    kind: String,
    meaning: String,
}

impl<'ast> Visit<'ast> for Metrics {
    fn visit_local(&mut self, local: &'ast syn::Local) {
        if let syn::Pat::Ident(name) = &local.pat
            && name.ident == "labels"
            && let Some(init) = &local.init
            && let syn::Expr::Array(pairs) = &*init.expr
        {
            self.shared = pairs.elems.iter().filter_map(first_text).collect();
        }
        visit::visit_local(self, local);
    }

    /// Text that a process writes by itself, for series that come and go.
    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        let text = literal.value();
        let Some((meaning, kind)) = text
            .strip_prefix("# HELP ")
            .and_then(|text| text.split_once("\n# TYPE "))
        else {
            return;
        };
        let (Some((name, meaning)), Some((_, kind))) =
            (meaning.split_once(' '), kind.trim_end().split_once(' '))
        else {
            return;
        };
        let (kind, meaning) = (kind.to_owned(), meaning.to_owned());
        let metric = Metric { kind, meaning };
        self.described.insert(name.to_owned(), metric);
    }

    fn visit_macro(&mut self, found: &'ast syn::Macro) {
        let name = found.path.segments.last().map(|it| it.ident.to_string());
        let name = name.unwrap_or_default();
        let kind = name.strip_prefix("describe_").unwrap_or(&name);
        if name == "writeln" {
            for (text, _) in texts(found.tokens.clone()) {
                if let Some((metric, label)) = text
                    .split_once("{{")
                    .and_then(|(metric, rest)| Some((metric, rest.split_once("=\"")?.0)))
                {
                    let all = self.labels.entry(metric.to_owned()).or_default();
                    all.insert(label.to_owned());
                }
            }
            return;
        }
        if !["counter", "gauge", "histogram"].contains(&kind) {
            return visit::visit_macro(self, found);
        }
        let texts = texts(found.tokens.clone());
        let Some(((metric, _), rest)) = texts.split_first() else {
            return;
        };
        if name == kind {
            let labels = rest.iter().filter(|(_, is_label)| *is_label);
            let labels = labels.map(|(label, _)| label.clone());
            let all = self.labels.entry(metric.clone()).or_default();
            all.extend(labels);
            if found.tokens.to_string().ends_with("labels") {
                all.extend(self.shared.iter().cloned());
            }
        } else if let Some((meaning, _)) = rest.last() {
            let meaning = meaning.clone();
            let kind = kind.to_owned();
            self.described
                .insert(metric.clone(), Metric { kind, meaning });
        }
    }
}

/// The first element of a tuple, if it is a string literal.
fn first_text(tuple: &syn::Expr) -> Option<String> {
    let syn::Expr::Tuple(tuple) = tuple else {
        return None;
    };
    match tuple.elems.first()? {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

/// The string literals of a macro's arguments, and whether each is a label: `=>` follows it.
fn texts(tokens: TokenStream) -> Vec<(String, bool)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let texts = tokens.iter().enumerate().filter_map(|(at, token)| {
        let TokenTree::Literal(literal) = token else {
            return None;
        };
        let text: syn::LitStr = syn::parse_str(&literal.to_string()).ok()?;
        let is_label =
            matches!(tokens.get(at + 1), Some(TokenTree::Punct(sign)) if sign.as_char() == '=');
        Some((text.value(), is_label))
    });
    texts.collect()
}
