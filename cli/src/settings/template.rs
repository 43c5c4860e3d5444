//! What `coinlake init` writes.

/// Every key with its meaning. A line that begins with `#` and a key shows a default or an example.
pub(crate) const TEMPLATE: &str = include_str!("coinlake.yaml");

#[cfg(test)]
mod tests {
    use std::path::Path;

    use connector_runtime::config::YamlFile;

    use super::super::file::Settings;
    use super::*;

    fn parsed(text: &str) -> Settings {
        let file = YamlFile::of_text(Path::new("coinlake.yaml"), text.to_owned());
        file.parse()
            .unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The template with the keys that are comments. Those that exclude each other stay comments.
    fn uncommented() -> String {
        let lines = TEMPLATE.lines().map(|line| {
            let inner = line.trim_start();
            let key = inner.strip_prefix('#').filter(|rest| {
                rest.starts_with(|first: char| first.is_ascii_lowercase()) && rest.contains(": ")
            });
            match key {
                Some(key) if !key.starts_with("ids:") => line.replace(inner, key),
                _ => line.to_owned(),
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_template_is_the_default() {
        let settings = parsed(TEMPLATE);
        let coingecko = settings.coingecko.unwrap();
        assert_eq!(coingecko.top, crate::assets::source().unwrap().settings.top);
        assert!(coingecko.problems().is_empty());
        assert!(settings.data.is_none() && settings.lake.is_none());
    }

    #[test]
    fn every_comment_that_is_a_key_can_be_one() {
        let text = uncommented();
        let settings = parsed(&text);
        assert!(settings.lake.is_some() && settings.metrics.is_some());
        assert!(settings.broker.advertise.is_some(), "{text}");
    }

    #[test]
    fn a_section_whose_keys_are_all_comments_is_empty() {
        parsed("coingecko:\n  # top: 250\nalerts:\nwebhook:\nbroker:\n");
    }
}
