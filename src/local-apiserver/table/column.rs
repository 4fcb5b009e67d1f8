//! One column of a table.

/// A column: name, type, format, and whether only `-o wide` shows it.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) wide: bool,
}

impl Column {
    pub(crate) fn new(name: &str, kind: &str, wide: bool) -> Self {
        let format = if name == "Name" { "name" } else { "" };
        let description = String::new();
        Self { name: name.to_owned(), kind: kind.to_owned(), format: format.to_owned(), description, wide }
    }
}
