//! YAML files other than a connector's config, with the same error messages.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::config::error::ConfigError;
use crate::config::explain::explain;
use crate::config::lines::line_of_path;
use crate::config::render::Rendered;

/// The text of a YAML file, for errors that name its lines.
#[derive(Debug, Clone)]
pub struct YamlFile {
    path: String,
    text: String,
}

impl YamlFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`] names the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        Ok(Self::of_text(path, text))
    }

    /// A file whose text is at hand.
    pub fn of_text(path: &Path, text: String) -> Self {
        Self {
            path: path.display().to_string(),
            text,
        }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Parses it. A file of comments only gives the default. `${{ secrets.NAME }}` has no meaning here.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names file, line and key, and what is expected there.
    pub fn parse<T: DeserializeOwned + Default>(&self) -> Result<T, ConfigError> {
        let parsed = serde_saphyr::from_str::<Option<T>>(&self.text);
        let parsed = parsed.map_err(|error| {
            let error = explain(&self.text, &Rendered::plain(), &error);
            error.in_file(Path::new(&self.path))
        })?;
        Ok(parsed.unwrap_or_default())
    }

    /// An error about the value of a key such as `coingecko.top`, with the line it is on. A key that the file does not
    /// have gets the line of the section around it, if there is one.
    pub fn invalid(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        self.invalid_on(self.line_of(key), problem.into())
    }

    /// An error about an item of the list under `key`: on the first line of the list that contains `word`, else on the key's.
    pub fn invalid_item(&self, key: &str, word: &str, problem: impl Into<String>) -> ConfigError {
        let begin = self.line_of(key);
        let is_part = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        let indent = |line: &str| line.len() - line.trim_start().len();
        let mut lines = (1..)
            .zip(self.text.lines())
            .skip(begin.map_or(0, |line| line - 1))
            .map(|(number, line)| (number, line.split(" #").next().unwrap_or_default()))
            .filter(|(_, line)| {
                !line.trim_start().is_empty() && !line.trim_start().starts_with('#')
            });
        let of_key = lines.next();
        let deep = of_key.map_or(0, |(_, line)| indent(line));
        let list = lines.take_while(|(_, line)| {
            indent(line) > deep || indent(line) == deep && line.trim_start().starts_with('-')
        });
        let found = (of_key.into_iter().chain(list))
            .find(|(_, line)| line.split(|char| !is_part(char)).any(|it| it == word));
        self.invalid_on(found.map(|(line, _)| line).or(begin), problem.into())
    }

    /// The line of a key, or of the section around it.
    fn line_of(&self, key: &str) -> Option<usize> {
        let mut path = key;
        loop {
            if let Some(line) = line_of_path(&self.text, path) {
                return Some(line);
            }
            path = path.rsplit_once('.')?.0;
        }
    }

    fn invalid_on(&self, line: Option<usize>, problem: String) -> ConfigError {
        ConfigError::Invalid {
            file: Some(self.path.clone()),
            line,
            problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn file(text: &str) -> YamlFile {
        YamlFile::of_text(Path::new("a.yaml"), text.to_owned())
    }

    #[test]
    fn comments_alone_are_the_default() {
        for text in ["", "# nothing\n", "---\n"] {
            let parsed: BTreeMap<String, u64> = file(text).parse().unwrap();
            assert!(parsed.is_empty(), "{text:?}");
        }
    }

    #[test]
    fn an_item_of_a_list_has_its_own_line() {
        let text = "x: ab\nlist:\n  - name: a-b\n  - {name: b, c: d}\n  - name: \"ab\"\n";
        let said = |word| file(text).invalid_item("list", word, "no").to_string();
        assert_eq!(said("a-b"), "a.yaml, line 3: no");
        assert_eq!(said("b"), "a.yaml, line 4: no");
        assert_eq!(said("ab"), "a.yaml, line 5: no");
        assert_eq!(said("z"), "a.yaml, line 2: no");
        let elsewhere = "list: [a] # b\n# b\nlast:\n- b\n";
        let said = |key, word| file(elsewhere).invalid_item(key, word, "no").to_string();
        assert_eq!(said("list", "a"), "a.yaml, line 1: no");
        assert_eq!(said("list", "b"), "a.yaml, line 1: no");
        assert_eq!(said("last", "b"), "a.yaml, line 4: no");
    }

    #[test]
    fn what_is_wrong_has_file_and_line() {
        let error = file("a: 1\nb: often\n").parse::<BTreeMap<String, u64>>();
        let said = error.unwrap_err().to_string();
        assert_eq!(
            said,
            "a.yaml, line 2: `b` is `often`: expected a whole number, not negative"
        );
    }

    #[test]
    fn a_key_has_its_line_or_that_of_its_section() {
        let file = file("top: 1\nb:\n  # top: 2\n  top: 3\n  c: {}\n");
        let line = |key| file.invalid(key, "no").to_string();
        assert_eq!(line("b.top"), "a.yaml, line 4: no");
        assert_eq!(line("top"), "a.yaml, line 1: no");
        assert_eq!(line("b.d.e"), "a.yaml, line 2: no");
        assert_eq!(line("d"), "a.yaml: no");
    }
}
