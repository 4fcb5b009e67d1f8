//! The columns of built-in kinds, as the real server's printers define them.

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PrinterColumn {
    pub(crate) name: &'static str,
    /// `string`, `integer`, `boolean` or `date`.
    pub(crate) kind: &'static str,
    /// Only `-o wide` shows it.
    pub(crate) wide: bool,
    pub(crate) meaning: Meaning,
}

/// What a column says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Meaning {
    /// Nothing; neither does the real server's.
    Unsaid,
    /// What the schemas say of a type's field.
    Field(&'static str, &'static str),
    /// The same up to these words: some printers have it from an older version, which says less.
    Until(&'static str, &'static str, &'static str),
    Text(&'static str),
}

pub(super) const NAME: PrinterColumn = text("Name").of("ObjectMeta", "name");
pub(super) const AGE: PrinterColumn = text("Age").of("ObjectMeta", "creationTimestamp");
pub(super) const CREATED_AT: PrinterColumn = column("Created At", "date").of("ObjectMeta", "creationTimestamp");
pub(super) const CONTAINERS: PrinterColumn = text("Containers").wide().says("Names of each container in the template.");
pub(super) const IMAGES: PrinterColumn =
    text("Images").wide().says("Images referenced by each container in the template.");

pub(super) const fn text(name: &'static str) -> PrinterColumn {
    column(name, "string")
}

pub(super) const fn integer(name: &'static str) -> PrinterColumn {
    column(name, "integer")
}

pub(super) const fn boolean(name: &'static str) -> PrinterColumn {
    column(name, "boolean")
}

const fn column(name: &'static str, kind: &'static str) -> PrinterColumn {
    PrinterColumn { name, kind, wide: false, meaning: Meaning::Unsaid }
}

impl PrinterColumn {
    pub(super) const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }

    /// It shows this field of this type.
    pub(super) const fn of(self, owner: &'static str, field: &'static str) -> Self {
        Self { meaning: Meaning::Field(owner, field), ..self }
    }

    /// It shows this field of this type, of which it says nothing from these words on.
    pub(super) const fn of_until(self, end: &'static str, owner: &'static str, field: &'static str) -> Self {
        Self { meaning: Meaning::Until(owner, field, end), ..self }
    }

    pub(super) const fn says(self, text: &'static str) -> Self {
        Self { meaning: Meaning::Text(text), ..self }
    }
}
