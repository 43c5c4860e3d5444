//! Which key a line of a configuration belongs to: parsers tell a line only, people look for a key.

/// The line a key stands on, for errors that no value was read for.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    text.lines()
        .position(|line| key_on(line).is_some_and(|(_, found)| found == key))
        .map(|index| index + 1)
}

/// The line of the key with this path: `meta.producer.linger`.
pub(super) fn line_of_path(text: &str, path: &str) -> Option<usize> {
    let mut lines = (1..).zip(text.lines());
    let found = lines.find(|(number, line)| {
        key_on(line).is_some() && key_path(text, *number).as_deref() == Some(path)
    });
    found.map(|(number, _)| number)
}

/// The key a line belongs to, with the keys around it: `meta.producer.linger`.
pub(super) fn key_path(text: &str, line: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(line).collect();
    let (mut indent, key) = lines.iter().rev().find_map(|line| key_on(line))?;
    let mut path = vec![key];
    for line in lines.iter().rev() {
        if let Some((outer, key)) = key_on(line)
            && outer < indent
        {
            path.push(key);
            indent = outer;
        }
    }
    path.reverse();
    Some(path.join("."))
}

/// What a line says behind its key.
pub(super) fn value_on(text: &str, line: usize) -> Option<&str> {
    let line = text.lines().nth(line.checked_sub(1)?)?;
    key_on(line)?;
    let value = line.split_once(':')?.1.trim();
    (!value.is_empty()).then_some(value)
}

/// The key a line begins with and how far it is indented, a list's dash included.
fn key_on(line: &str) -> Option<(usize, &str)> {
    let inner = line.trim_start_matches([' ', '-']);
    if inner.starts_with('#') {
        return None;
    }
    let key = inner.split(':').next()?;
    let is_key = inner.len() > key.len()
        && !key.is_empty()
        && key
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "_-.".contains(char));
    is_key.then_some((line.len() - inner.len(), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_knows_the_keys_around_it() {
        let text = "meta:\n  name: x\n  # why\n  producer:\n    linger: 1\ntransforms:\n  - uses: a\n    with:\n      b: c\n";
        let path = |line| key_path(text, line).unwrap();
        assert_eq!(path(2), "meta.name");
        assert_eq!(path(5), "meta.producer.linger");
        assert_eq!(path(7), "transforms.uses");
        assert_eq!(path(9), "transforms.with.b");
        assert_eq!(line_of(text, "producer"), Some(4));
        assert_eq!(line_of(text, "nothing"), None);
    }
}
