//! No files import each other in a circle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use crate::modules::Tree;
use crate::workspace::{packages, relative};

/// From each file, the files whose items it uses, with one path as an example.
type Arrows = BTreeMap<String, BTreeMap<String, String>>;

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut arrows = Arrows::new();
    for package in packages() {
        for target in package["targets"].as_array().unwrap() {
            let root = Path::new(target["src_path"].as_str().unwrap());
            for arrow in Tree::parse(root).arrows() {
                arrows
                    .entry(relative(&arrow.from))
                    .or_default()
                    .entry(relative(&arrow.to))
                    .or_insert(arrow.path);
            }
        }
    }
    assert!(!arrows.is_empty(), "no file uses another one");
    let circles = circles(&arrows);
    assert!(
        circles.is_empty(),
        "{} circles of files; move what both sides need into a file of its own:\n\n{}",
        circles.len(),
        circles.join("\n\n")
    );
}

/// One line an arrow for the shortest circle through each file that no earlier circle has.
fn circles(arrows: &Arrows) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for file in arrows.keys() {
        if seen.contains(file) {
            continue;
        }
        if let Some(circle) = shortest(arrows, file) {
            let lines = circle
                .windows(2)
                .map(|step| format!("{} -> {}: {}", step[0], step[1], arrows[&step[0]][&step[1]]));
            circles.push(lines.collect::<Vec<_>>().join("\n"));
            seen.extend(circle);
        }
    }
    circles
}

/// The shortest way from a file back to itself.
fn shortest(arrows: &Arrows, start: &String) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<&String, &String> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in arrows.get(file).into_iter().flat_map(BTreeMap::keys) {
            if next == start {
                let mut circle = vec![start.clone(), file.clone()];
                let mut at = file;
                while at != start {
                    at = came_from[at];
                    circle.push(at.clone());
                }
                if file == start {
                    circle.pop();
                }
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}

#[test]
fn a_circle_is_spelled_out() {
    let arrow = |to: &str, path: &str| BTreeMap::from([(to.to_owned(), path.to_owned())]);
    let arrows = Arrows::from([
        ("a".to_owned(), arrow("b", "crate::b::B")),
        ("b".to_owned(), arrow("c", "crate::c::C")),
        ("c".to_owned(), arrow("a", "super::A")),
        ("d".to_owned(), arrow("a", "crate::a::A")),
    ]);
    assert_eq!(
        circles(&arrows),
        ["a -> b: crate::b::B\nb -> c: crate::c::C\nc -> a: super::A"]
    );
}
