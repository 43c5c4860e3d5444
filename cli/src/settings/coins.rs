//! Which coins, in which currency, how often, and with which key.

use std::env;

use clap::ValueEnum;
use coingecko_source::{KeyPlan, SourceSettings};

use super::args::{Plan, SettingsArgs};
use super::problems::Problems;
use crate::assets;

const KEY: &str = "COINGECKO_API_KEY";
const PLAN: &str = "COINGECKO_PLAN";

/// The settings of the source: the shipped ones, or the file's, with the options in their place.
pub(super) fn source_settings(
    file: Option<&SourceSettings>,
    args: &SettingsArgs,
    problems: &mut Problems<'_>,
) -> SourceSettings {
    let shipped = assets::source().map(|source| source.settings);
    let shipped = problems.keep("coingecko", shipped).unwrap_or_default();
    let mut settings = file.cloned().unwrap_or_else(|| shipped.clone());
    if settings.api_key.take().is_some() {
        problems.report(
            "coingecko.api_key",
            format!(
                "coingecko.api_key does not belong into this file, which others may read: set the environment variable \
                 {KEY}, or name a file that holds it with `secrets`"
            ),
        );
    }
    if !args.ids.is_empty() {
        settings.ids.clone_from(&args.ids);
        settings.top = None;
    }
    if let Some(top) = args.top {
        settings.top = Some(top.get());
        settings.ids.clear();
    }
    if settings.ids.is_empty() && settings.top.is_none() {
        settings.top = shipped.top;
    }
    if let Some(every) = args.every {
        settings.poll_interval = Some(every);
    }
    let (plan, set_by) = key_plan(args, problems).unwrap_or((settings.plan, "coingecko.plan"));
    settings.plan = plan;
    let key = args.api_key.clone().or_else(|| variable(KEY));
    if let Some(key) = key {
        settings.api_key = Some(key.into());
    } else if plan == KeyPlan::Pro {
        settings.plan = KeyPlan::Demo;
        problems.report(
            set_by,
            format!(
                "{set_by} is pro, but there is no key: set the environment variable {KEY}, or name a file that holds it \
                 with `secrets`"
            ),
        );
    }
    for problem in settings.problems() {
        let key = problem.split(' ').next().unwrap_or_default().to_owned();
        problems.report(&key, problem);
    }
    settings
}

/// The plan that is set outside the file, and by what.
fn key_plan(args: &SettingsArgs, problems: &mut Problems<'_>) -> Option<(KeyPlan, &'static str)> {
    if let Some(plan) = args.plan {
        return Some((plan.into(), "--plan"));
    }
    let text = variable(PLAN)?;
    let plan = Plan::from_str(&text, true);
    let plan = plan.map_err(|_| format!("{PLAN} is `{text}`: set demo or pro"));
    Some((problems.keep(PLAN, plan)?.into(), PLAN))
}

/// An environment variable; an empty one is none.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
