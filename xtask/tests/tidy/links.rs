//! Markdown: links lead somewhere, and the README stays short.

use std::fs;

use crate::workspace::{files, relative, root};

#[test]
fn relative_links_lead_to_files_and_headings() {
    let mut broken = Vec::new();
    for file in files(root(), "md") {
        let text = fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1) {
            let link = link.split([')', ' ']).next().unwrap_or_default();
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path.is_empty() {
                true => file.clone(),
                false => file.parent().unwrap().join(path),
            };
            let found = target.exists()
                && (heading.is_empty()
                    || headings(&fs::read_to_string(&target).unwrap()).any(|it| it == heading));
            if !found {
                broken.push(format!("{}: {link}", relative(&file)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The anchors of a page's headings, as Git hosts make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'))
                .map(|char| if char == ' ' { '-' } else { char })
                .collect()
        })
}

#[test]
fn the_readme_has_at_most_1000_words() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let words = readme.split_whitespace().count();
    assert!(words <= 1000, "README.md has {words} words");
}
