//! The module tree of one compilation target, and what its paths lead to.
//!
//! Items under `#[cfg(test)]` are left out. A path leads to the file that defines the item: re-exports are followed.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// An item that this module's file defines.
    ItemIn(usize),
    /// A module itself.
    Module(usize),
}

#[derive(Default)]
struct Module {
    parent: Option<usize>,
    file: PathBuf,
    children: HashMap<String, usize>,
    defined: HashSet<String>,
    /// `use`: the local name and its path.
    aliases: HashMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// Every path in the module's code, and those of its private `use` lines.
    paths: Vec<Vec<String>>,
}

/// The modules of one target; the first is the root.
pub(crate) struct Tree(Vec<Module>);

/// `from` uses an item that `to` defines.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Arrow {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    /// The path as written.
    pub(crate) path: String,
}

impl Tree {
    /// Parses a target from its root file: `lib.rs`, `main.rs` or a test.
    pub(crate) fn parse(root: &Path) -> Self {
        let mut tree = Self(Vec::new());
        let folder = root.parent().expect("a file has a folder");
        tree.add_file(root, folder, None);
        tree
    }

    /// The arrows between its files.
    pub(crate) fn arrows(&self) -> Vec<Arrow> {
        let mut arrows = Vec::new();
        for (id, module) in self.0.iter().enumerate() {
            for path in &module.paths {
                if let Some(Target::ItemIn(definer)) = self.resolve(id, path, 0)
                    && self.0[definer].file != module.file
                {
                    arrows.push(Arrow {
                        from: module.file.clone(),
                        to: self.0[definer].file.clone(),
                        path: path.join("::"),
                    });
                }
            }
        }
        arrows
    }

    /// `folder` is where the files of its child modules are.
    fn add_file(&mut self, file: &Path, folder: &Path, parent: Option<usize>) -> usize {
        let text = fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("{} cannot be read: {error}", file.display()));
        let parsed = syn::parse_file(&text)
            .unwrap_or_else(|error| panic!("{} is not Rust: {error}", file.display()));
        self.add_module(file, folder, parent, &parsed.items)
    }

    fn add_module(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        items: &[Item],
    ) -> usize {
        let id = self.0.len();
        self.0.push(Module {
            parent,
            file: file.to_owned(),
            ..Module::default()
        });
        for item in items {
            self.add_item(id, folder, item);
        }
        id
    }

    fn add_item(&mut self, id: usize, folder: &Path, item: &Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        match item {
            Item::Mod(module) => {
                let name = module.ident.to_string();
                let own_folder = folder.join(&name);
                let child = match &module.content {
                    Some((_, items)) => {
                        let file = self.0[id].file.clone();
                        self.add_module(&file, &own_folder, Some(id), items)
                    }
                    None => {
                        let file = file_of(folder, &name, &module.attrs);
                        self.add_file(&file, &own_folder, Some(id))
                    }
                };
                self.0[id].children.insert(name, child);
            }
            Item::Use(line) => {
                let is_private = matches!(line.vis, Visibility::Inherited);
                let is_external = line.leading_colon.is_some();
                for (path, name) in leaves(&line.tree).into_iter().filter(|_| !is_external) {
                    let module = &mut self.0[id];
                    match name {
                        Some(name) => {
                            // A re-export alone uses nothing; the code that uses its name does.
                            if is_private {
                                module.paths.push(path.clone());
                            }
                            module.aliases.insert(name, path);
                        }
                        None => module.globs.push(path),
                    }
                }
            }
            item => {
                let module = &mut self.0[id];
                module.defined.extend(defined_name(item));
                Paths(&mut module.paths).visit_item(item);
            }
        }
    }

    /// Follows a path that is written in module `at`. `None`: it leads out of the crate.
    fn resolve(&self, at: usize, path: &[String], depth: usize) -> Option<Target> {
        if depth > 16 {
            return None;
        }
        match path.first()?.as_str() {
            "crate" => self.walk(0, &path[1..], depth),
            "self" => self.walk(at, &path[1..], depth),
            "super" => self.walk(self.0[at].parent?, &path[1..], depth),
            _ => self.walk(at, path, depth),
        }
    }

    fn walk(&self, at: usize, path: &[String], depth: usize) -> Option<Target> {
        let module = &self.0[at];
        let Some((name, rest)) = path.split_first() else {
            return Some(Target::Module(at));
        };
        if name == "super" {
            return self.walk(module.parent?, rest, depth);
        }
        let child = || {
            module
                .children
                .get(name)
                .map(|child| self.walk(*child, rest, depth))
        };
        // A function may have the name of a module: the last segment is rather the function.
        if !rest.is_empty()
            && let Some(found) = child()
        {
            return found;
        }
        if module.defined.contains(name) {
            return Some(Target::ItemIn(at));
        }
        if let Some(alias) = module.aliases.get(name) {
            return match self.resolve(at, alias, depth + 1)? {
                Target::Module(inner) => self.walk(inner, rest, depth + 1),
                item @ Target::ItemIn(_) => Some(item),
            };
        }
        if let Some(found) = child() {
            return found;
        }
        module
            .globs
            .iter()
            .find_map(|glob| match self.resolve(at, glob, depth + 1)? {
                Target::Module(inner) if inner != at => self.walk(inner, path, depth + 1),
                _ => None,
            })
    }
}

/// Collects the paths of an item.
struct Paths<'a>(&'a mut Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let segments = path.segments.iter();
            self.0
                .push(segments.map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, line: &'ast syn::ItemUse) {
        self.0
            .extend(leaves(&line.tree).into_iter().map(|(path, _)| path));
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        scan(call.tokens.clone(), self.0);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

/// The paths in the arguments of a macro, which syn leaves unparsed.
fn scan(tokens: TokenStream, paths: &mut Vec<Vec<String>>) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                if colons != 2 {
                    paths.push(std::mem::take(&mut path));
                }
                path.push(ident.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            other => {
                paths.push(std::mem::take(&mut path));
                colons = 0;
                if let TokenTree::Group(group) = other {
                    scan(group.stream(), paths);
                }
            }
        }
    }
    paths.push(path);
    paths.retain(|path| !path.is_empty());
}

/// Each name of a `use` with its whole path; a glob has no name.
fn leaves(tree: &UseTree) -> Vec<(Vec<String>, Option<String>)> {
    match tree {
        UseTree::Path(path) => {
            let head = path.ident.to_string();
            let mut inner = leaves(&path.tree);
            for (rest, name) in &mut inner {
                // `use a::b::{self}` brings b.
                if rest.len() == 1 && rest[0] == "self" {
                    rest.clear();
                    if name.as_deref() == Some("self") {
                        *name = Some(head.clone());
                    }
                }
                rest.insert(0, head.clone());
            }
            inner
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            vec![(vec![name.clone()], Some(name))]
        }
        UseTree::Rename(rename) => vec![(
            vec![rename.ident.to_string()],
            Some(rename.rename.to_string()),
        )],
        UseTree::Glob(_) => vec![(Vec::new(), None)],
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
    }
}

fn file_of(folder: &Path, name: &str, attributes: &[Attribute]) -> PathBuf {
    for attribute in attributes {
        if attribute.path().is_ident("path")
            && let syn::Meta::NameValue(meta) = &attribute.meta
            && let syn::Expr::Lit(literal) = &meta.value
            && let syn::Lit::Str(path) = &literal.lit
        {
            return folder.join(path.value());
        }
    }
    let flat = folder.join(format!("{name}.rs"));
    match flat.is_file() {
        true => flat,
        false => folder.join(name).join("mod.rs"),
    }
}

/// Whether an item is compiled for tests only.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && matches!(&attribute.meta, syn::Meta::List(list) if {
                let mut words = Vec::new();
                scan(list.tokens.clone(), &mut words);
                let has = |word: &str| words.iter().any(|path| path[0] == word);
                has("test") && !has("not") && !has("any")
            })
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn defined_name(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrows(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let name = |path: &Path| {
            let path = path.strip_prefix(folder.path()).unwrap();
            path.to_string_lossy().into_owned()
        };
        let mut arrows: Vec<_> = Tree::parse(&folder.path().join("lib.rs"))
            .arrows()
            .iter()
            .map(|arrow| (name(&arrow.from), name(&arrow.to)))
            .collect();
        arrows.sort();
        arrows.dedup();
        arrows
    }

    fn arrow(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn a_re_export_leads_to_the_file_that_defines_the_item() {
        let found = arrows(&[
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod inner; pub use inner::Thing;"),
            ("a/inner.rs", "pub struct Thing;"),
            ("b.rs", "use crate::a::Thing; fn f(_: Thing) {}"),
        ]);
        assert_eq!(found, [arrow("b.rs", "a/inner.rs")]);
    }

    #[test]
    fn a_parent_that_uses_its_child_and_is_used_by_it_makes_two_arrows() {
        let found = arrows(&[
            ("lib.rs", "mod a; struct Shared; fn f() { a::go() }"),
            ("a.rs", "use super::Shared; pub fn go() { let _: Shared; }"),
        ]);
        assert_eq!(found, [arrow("a.rs", "lib.rs"), arrow("lib.rs", "a.rs")]);
    }

    #[test]
    fn paths_in_macros_count_and_those_of_tests_do_not() {
        let found = arrows(&[
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "pub const N: u8 = 1; #[cfg(test)] mod tests { use crate::b::M; }",
            ),
            (
                "b.rs",
                "pub const M: u8 = 1; fn f() { println!(\"{}\", crate::a::N); }",
            ),
        ]);
        assert_eq!(found, [arrow("b.rs", "a.rs")]);
    }

    #[test]
    fn a_module_import_counts_where_its_items_are_used() {
        let found = arrows(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub fn go() {}"),
            ("b.rs", "use crate::a; fn f() { a::go() }"),
        ]);
        assert_eq!(found, [arrow("b.rs", "a.rs")]);
    }
}
