//! The Rust files of the tree, parsed: what of each is product and what is test.
//!
//! Everything behind `#[cfg(test)]` is test, be it an item, a module in the file or a module in a file of its own. What stands
//! above or below it is not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::Span;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, ImplItem, Item, ItemMod, Meta, TraitItem};

use super::imports;

/// The product's part of one file.
pub(super) struct Source {
    /// Lines that are not behind `#[cfg(test)]`.
    pub(super) lines: usize,
    /// All of them, closures aside.
    pub(super) functions: Vec<Function>,
    /// Their names.
    pub(super) traits: Vec<String>,
    /// The paths that it names, such as `["crate", "sqs", "Store"]`.
    pub(super) paths: BTreeSet<Vec<String>>,
    /// Modules that the file declares without a body, tests among them.
    pub(super) modules: Vec<Declared>,
}

/// `mod name;`
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) path: Option<String>,
    pub(super) is_test: bool,
}

/// A function and the lines of its body that are neither blank nor a comment.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) lines: usize,
}

impl Source {
    /// Parses a file's text.
    pub(super) fn parse(text: &str) -> syn::Result<Self> {
        let mut tree = syn::parse_file(text)?;
        let mut modules = Modules::default();
        modules.visit_file(&tree);
        let mut cut = Cut::default();
        cut.visit_file_mut(&mut tree);
        let text: Vec<&str> = text.lines().collect();
        let mut functions = Functions { text: &text, found: Vec::new() };
        functions.visit_file(&tree);
        let mut traits = Traits::default();
        traits.visit_file(&tree);
        Ok(Self {
            lines: text.len() - cut.lines.len(),
            functions: functions.found,
            traits: traits.0,
            paths: imports::paths(tree.to_token_stream()),
            modules: modules.found,
        })
    }
}

/// Where a module lies that the file at `parent` declares; `parent` itself may be a crate's root.
pub(super) fn module_file(parent: &Path, declared: &Declared) -> PathBuf {
    let folder = parent.parent().unwrap_or(parent);
    if let Some(path) = &declared.path {
        return folder.join(path);
    }
    let is_root = parent.file_name().is_some_and(|name| name == "lib.rs" || name == "main.rs");
    let home = if is_root { folder.to_owned() } else { parent.with_extension("") };
    home.join(format!("{}.rs", declared.name))
}

fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string().replace(' ', "");
            condition == "test" || (condition.starts_with("all(test,") && !condition.contains("not("))
        }
        _ => false,
    })
}

fn lines_of(span: Span) -> impl Iterator<Item = usize> {
    span.start().line..=span.end().line
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
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

/// Cuts out what is behind `#[cfg(test)]`, and who may use an item: that is no import.
#[derive(Default)]
struct Cut {
    lines: BTreeSet<usize>,
}

impl Cut {
    fn keep(&mut self, attributes: &[Attribute], span: Span) -> bool {
        let is_test = is_test_only(attributes);
        if is_test {
            let first = attributes.iter().map(|attribute| attribute.span().start().line).min();
            self.lines.extend(first.unwrap_or(span.start().line)..=span.end().line);
            self.lines.extend(lines_of(span));
        }
        !is_test
    }
}

impl VisitMut for Cut {
    fn visit_visibility_mut(&mut self, visibility: &mut syn::Visibility) {
        *visibility = syn::Visibility::Inherited;
    }

    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items.retain(|item| self.keep(attributes(item), item.span()));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| self.keep(attributes(item), item.span()));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut syn::ItemImpl) {
        block.items.retain(|item| match item {
            ImplItem::Fn(function) => self.keep(&function.attrs, function.span()),
            ImplItem::Const(constant) => self.keep(&constant.attrs, constant.span()),
            _ => true,
        });
        visit_mut::visit_item_impl_mut(self, block);
    }

    fn visit_item_trait_mut(&mut self, block: &mut syn::ItemTrait) {
        block.items.retain(|item| match item {
            TraitItem::Fn(function) => self.keep(&function.attrs, function.span()),
            _ => true,
        });
        visit_mut::visit_item_trait_mut(self, block);
    }
}

#[derive(Default)]
struct Modules {
    found: Vec<Declared>,
}

impl<'a> Visit<'a> for Modules {
    fn visit_item_mod(&mut self, module: &'a ItemMod) {
        if module.content.is_none() {
            let path = module.attrs.iter().find_map(|attribute| match &attribute.meta {
                Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                    syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
                    _ => None,
                },
                _ => None,
            });
            let is_test = is_test_only(&module.attrs);
            self.found.push(Declared { name: module.ident.to_string(), path, is_test });
        }
        // Modules inside of a module with a body would lie elsewhere; there are none.
    }
}

struct Functions<'a> {
    text: &'a [&'a str],
    found: Vec<Function>,
}

impl Functions<'_> {
    fn count(&mut self, name: &syn::Ident, body: &syn::Block) {
        let lines = lines_of(body.span()).filter_map(|line| self.text.get(line - 1)).map(|line| line.trim());
        // The braces have a line each.
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count().saturating_sub(2);
        self.found.push(Function { name: name.to_string(), lines });
    }
}

impl<'a> Visit<'a> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
        self.count(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        self.count(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'a syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.count(&function.sig.ident, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[derive(Default)]
struct Traits(Vec<String>);

impl<'a> Visit<'a> for Traits {
    fn visit_item_trait(&mut self, found: &'a syn::ItemTrait) {
        self.0.push(found.ident.to_string());
        visit::visit_item_trait(self, found);
    }
}

#[test]
fn what_stands_below_a_test_module_of_its_own_file_is_product() {
    let text = "//! Doc.\n\n#[cfg(test)]\nmod tests;\nmod other;\n\npub trait One {}\nfn long() {\n    a();\n\n    // why\n    b();\n}\n\
                #[cfg(test)]\nmod inner {\n    trait Two {}\n    fn f() {}\n}\nimpl X {\n    #[cfg(test)]\n    fn g() {}\n}\n";
    let source = Source::parse(text).unwrap();
    assert_eq!(source.traits, ["One"]);
    let functions: Vec<_> = source.functions.into_iter().map(|found| (found.name, found.lines)).collect();
    assert_eq!(functions, [("long".to_owned(), 2)]);
    // Without the two test modules and the test function.
    assert_eq!(source.lines, text.lines().count() - 2 - 5 - 2);
    let declared: Vec<_> = source.modules.iter().map(|module| (module.name.as_str(), module.is_test)).collect();
    assert_eq!(declared, [("tests", true), ("other", false)]);
}
