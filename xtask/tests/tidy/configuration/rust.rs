//! Settings as the source declares them: keys, types, defaults and doc comments of structs that serde or clap reads.

use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, Field, Fields, Item, Lit, Meta, Type};

use crate::workspace::files;

/// The items of a crate's sources.
pub(crate) struct Source(Vec<Item>);

/// One key of a section.
pub(crate) struct Key {
    pub(crate) name: String,
    /// The type as written, without `Option`.
    pub(crate) kind: Type,
    pub(crate) default: Value,
    pub(crate) doc: String,
}

/// What a key has when it is left out.
#[derive(Clone)]
pub(crate) enum Value {
    /// It must be there.
    Required,
    /// Nothing; the doc comment says what that means.
    Absent,
    /// This.
    Given(String),
}

impl Source {
    /// Everything declared in the `.rs` files of a folder.
    pub(crate) fn of_folder(folder: &Path) -> Self {
        Self::of_files(files(folder, "rs"))
    }

    /// Everything declared in the one file of a folder that declares this struct.
    pub(crate) fn of_file_with(folder: &Path, structure: &str) -> Self {
        let mut sources = files(folder, "rs")
            .into_iter()
            .map(|file| Self::of_files([file]));
        sources
            .find(|source| source.has_struct(structure))
            .unwrap_or_else(|| panic!("no struct {structure} in {}", folder.display()))
    }

    fn of_files(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut items = Vec::new();
        for file in files {
            let text = fs::read_to_string(&file).expect("a source can be read");
            items.extend(syn::parse_file(&text).expect("a source is Rust").items);
        }
        Self(items)
    }

    /// The doc comment of a struct.
    pub(crate) fn about(&self, name: &str) -> String {
        doc(&self.structure(name).attrs)
    }

    /// Whether there is a struct of that name with keys.
    pub(crate) fn has_struct(&self, name: &str) -> bool {
        self.0.iter().any(|item| {
            matches!(item, Item::Struct(item) if item.ident == name
                && matches!(item.fields, Fields::Named(_)))
        })
    }

    /// The keys that serde reads into a struct.
    pub(crate) fn keys(&self, name: &str) -> Vec<Key> {
        let item = self.structure(name);
        let container = serde(&item.attrs);
        let defaults_to_struct = container.iter().any(|(key, _)| key == "default");
        let rename_all = value_of(&container, "rename_all");
        let mut keys = Vec::new();
        for field in &item.fields {
            let attributes = serde(&field.attrs);
            if attributes.iter().any(|(key, _)| key == "skip") {
                continue;
            }
            let ident = ident(field);
            let renamed = value_of(&attributes, "rename");
            let name_of_key = renamed.unwrap_or_else(|| match rename_all.as_deref() {
                Some("kebab-case") => ident.replace('_', "-"),
                _ => ident.clone(),
            });
            let (kind, is_optional) = without_option(&field.ty);
            let own_default = attributes.iter().find(|(key, _)| key == "default");
            let default = match own_default {
                Some((_, Some(function))) => Value::Given(self.returned_by(function)),
                Some((_, None)) => empty(kind),
                None if defaults_to_struct && !derives_default(item) => {
                    self.default_of(name, &ident)
                }
                None if is_optional => Value::Absent,
                None if defaults_to_struct => empty(kind),
                None => Value::Required,
            };
            // An `Option` that is checked after parsing.
            let doc = doc(&field.attrs);
            let (default, doc) = match doc.strip_prefix("Required. ") {
                Some(rest) => (Value::Required, rest.to_owned()),
                None => (default, doc),
            };
            keys.push(Key {
                name: name_of_key,
                kind: kind.clone(),
                default,
                doc,
            });
        }
        keys
    }

    /// The options that clap reads into a struct: `--name` and doc comment.
    pub(crate) fn options(&self, name: &str) -> Vec<(String, String)> {
        let fields = self.structure(name).fields.iter();
        let options = fields.map(|field| {
            let name = format!("--{}", ident(field).replace('_', "-"));
            (name, doc(&field.attrs))
        });
        options.collect()
    }

    /// The values of an enum whose variants stand for themselves, each with its doc comment.
    pub(crate) fn variants(&self, name: &str) -> Option<Vec<(String, String)>> {
        self.0.iter().find_map(|item| match item {
            Item::Enum(item)
                if item.ident == name
                    && (item.variants.iter())
                        .all(|variant| matches!(variant.fields, Fields::Unit))
                    && derives(&item.attrs) =>
            {
                let variants = item.variants.iter();
                Some(
                    variants
                        .map(|variant| {
                            let renamed = value_of(&serde(&variant.attrs), "rename");
                            let name = variant.ident.to_string().to_lowercase();
                            (renamed.unwrap_or(name), doc(&variant.attrs))
                        })
                        .collect(),
                )
            }
            _ => None,
        })
    }

    fn structure(&self, name: &str) -> &syn::ItemStruct {
        let found = self.0.iter().find_map(|item| match item {
            Item::Struct(item) if item.ident == name => Some(item),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no struct {name}: correct xtask/tests/tidy/configuration"))
    }

    /// The value of a field in `impl Default`.
    fn default_of(&self, structure: &str, field: &str) -> Value {
        let found = self.0.iter().find_map(|item| match item {
            Item::Impl(item) if is_default_of(item, structure) => Some(item),
            _ => None,
        });
        let item = found.unwrap_or_else(|| panic!("no impl Default for {structure}"));
        let body = item.items.iter().find_map(|item| match item {
            syn::ImplItem::Fn(function) => function.block.stmts.last(),
            _ => None,
        });
        let Some(syn::Stmt::Expr(Expr::Struct(literal), None)) = body else {
            panic!("the Default of {structure} is no struct literal");
        };
        let value = (literal.fields.iter())
            .find(|value| matches!(&value.member, syn::Member::Named(name) if name == field));
        match value {
            Some(value) => written(&value.expr),
            None => panic!("the Default of {structure} does not name {field}"),
        }
    }

    /// What a function without arguments returns.
    fn returned_by(&self, function: &str) -> String {
        let found = self.0.iter().find_map(|item| match item {
            Item::Fn(item) if item.sig.ident == function => item.block.stmts.last(),
            _ => None,
        });
        match found {
            Some(syn::Stmt::Expr(value, None)) => match written(value) {
                Value::Given(text) => text,
                _ => panic!("{function} returns no plain value"),
            },
            _ => panic!("no function {function}"),
        }
    }
}

/// A default as an operator writes it.
fn written(value: &Expr) -> Value {
    let given = |text: String| Value::Given(format!("`{text}`"));
    match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => given(text.value()),
            Lit::Int(number) => given(number.base10_digits().to_owned()),
            Lit::Float(number) => given(number.base10_digits().to_owned()),
            Lit::Bool(flag) => given(flag.value.to_string()),
            _ => panic!("a default of an unknown kind"),
        },
        // `"usd".into()`
        Expr::MethodCall(call) => written(&call.receiver),
        // `8 << 20`
        Expr::Binary(binary) => match (written(&binary.left), written(&binary.right), &binary.op) {
            (Value::Given(left), Value::Given(right), syn::BinOp::Shl(_)) => {
                let number = |text: &str| text.trim_matches('`').parse::<u64>().expect("a number");
                given((number(&left) << number(&right)).to_string())
            }
            _ => panic!("a default with an unknown operator"),
        },
        Expr::Path(path) => match path.path.segments.last() {
            Some(name) if name.ident == "None" => Value::Absent,
            // A variant.
            Some(name) => given(name.ident.to_string().to_lowercase()),
            None => Value::Absent,
        },
        Expr::Call(call) => {
            let Expr::Path(function) = &*call.func else {
                panic!("a default calls no function");
            };
            let name = function
                .path
                .segments
                .last()
                .expect("a name")
                .ident
                .to_string();
            let argument = || match call.args.first().map(written) {
                Some(Value::Given(text)) => text.trim_matches('`').to_owned(),
                _ => panic!("{name} has no argument"),
            };
            match name.as_str() {
                "new" => Value::Given("empty".to_owned()),
                "from_secs" => given(format!("{}s", argument())),
                "from_millis" => given(format!("{}ms", argument())),
                "mib" => given(format!("{} MiB", argument())),
                "kib" => given(format!("{} KiB", argument())),
                other => panic!("a default calls {other}"),
            }
        }
        _ => panic!("a default of an unknown form"),
    }
}

fn empty(kind: &Type) -> Value {
    Value::Given(
        match type_name(kind).as_str() {
            "Vec" | "BTreeMap" => "empty",
            "bool" => "`false`",
            "Partitions" => "`all`",
            name if name.starts_with(['u', 'i']) => "`0`",
            _ => "see its section",
        }
        .to_owned(),
    )
}

/// The last segment of a type's path.
pub(crate) fn type_name(kind: &Type) -> String {
    match kind {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map(|segment| segment.ident.to_string())
            .unwrap_or_default(),
        _ => String::new(),
    }
}

/// The last type argument: `T` of `Vec<T>`.
pub(crate) fn argument(kind: &Type) -> Option<&Type> {
    let Type::Path(path) = kind else { return None };
    match &path.path.segments.last()?.arguments {
        syn::PathArguments::AngleBracketed(arguments) => {
            arguments.args.iter().rev().find_map(|it| match it {
                syn::GenericArgument::Type(kind) => Some(kind),
                _ => None,
            })
        }
        _ => None,
    }
}

fn without_option(kind: &Type) -> (&Type, bool) {
    match (type_name(kind).as_str(), argument(kind)) {
        ("Option", Some(inner)) => (inner, true),
        _ => (kind, false),
    }
}

fn ident(field: &Field) -> String {
    let ident = field
        .ident
        .as_ref()
        .expect("settings have names")
        .to_string();
    ident.trim_matches('_').to_owned()
}

fn is_default_of(item: &syn::ItemImpl, structure: &str) -> bool {
    let is_default = |path: &syn::Path| path.is_ident("Default");
    (item.trait_.as_ref()).is_some_and(|(_, path, _)| is_default(path))
        && type_name(&item.self_ty) == structure
}

fn derives(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|it| it.path().is_ident("derive"))
}

fn derives_default(item: &syn::ItemStruct) -> bool {
    let derived = named(&item.attrs, "derive");
    derived.iter().any(|(name, _)| name == "Default")
}

/// The arguments of `#[serde(...)]`.
fn serde(attributes: &[Attribute]) -> Vec<(String, Option<String>)> {
    named(attributes, "serde")
}

/// The arguments of an attribute: words, and words with a value.
fn named(attributes: &[Attribute], name: &str) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    for attribute in attributes.iter().filter(|it| it.path().is_ident(name)) {
        let parser = syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated;
        for meta in attribute
            .parse_args_with(parser)
            .expect("arguments are words")
        {
            let word = meta.path().get_ident().map(ToString::to_string);
            let value = match &meta {
                Meta::NameValue(pair) => match &pair.value {
                    Expr::Lit(literal) => match &literal.lit {
                        Lit::Str(text) => Some(text.value()),
                        _ => None,
                    },
                    _ => None,
                },
                _ => None,
            };
            found.extend(word.map(|word| (word, value)));
        }
    }
    found
}

fn value_of(attributes: &[(String, Option<String>)], name: &str) -> Option<String> {
    attributes
        .iter()
        .find(|(word, _)| word == name)
        .and_then(|(_, value)| value.clone())
}

/// A doc comment on one line; links to other items become their names.
fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|it| match &it.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let text = lines.collect::<Vec<_>>().join(" ");
    text.replace("[`", "`")
        .replace("`]", "`")
        .replace('|', "\\|")
}
