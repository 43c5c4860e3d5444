//! What axe-core finds wrong with a page for those who cannot see it, or see it badly. `COINLAKE_AXE` names its `axe.min.js`, which
//! npm's package `axe-core` brings.

use serde_json::Value;

use crate::browser::Browser;

/// A checker of pages; `None`, and says so, where there is no axe-core.
pub(crate) struct Checker(String);

impl Checker {
    pub(crate) fn find() -> Option<Self> {
        let Some(path) = std::env::var_os("COINLAKE_AXE") else {
            println!("not checked by axe-core: COINLAKE_AXE does not name its axe.min.js");
            return None;
        };
        Some(Self(std::fs::read_to_string(path).unwrap()))
    }

    /// What is wrong with the page that is shown, a line each.
    pub(crate) async fn check(&self, browser: &Browser, page: &str) -> Vec<String> {
        if browser.run("return window.axe === undefined").await == true {
            browser.run(&format!("{}; window.axe = axe;", self.0)).await;
        }
        let found = browser
            .run(
                "return axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.flatMap(({ id, nodes }) => \
                 nodes.map((node) => `${id}: ${node.html.slice(0, 200)} ${node.failureSummary}`)))",
            )
            .await;
        let Value::Array(found) = found else {
            panic!("axe-core has found {found}")
        };
        let lines = found.iter().map(|line| format!("{page}: {line}"));
        lines.collect()
    }
}
