//! The columns of built-in kinds.

use super::column::Column;
use crate::kinds::printer_column::{Meaning, PrinterColumn};
use crate::kinds::row::Row;
use crate::openapi;

pub(crate) fn of(row: &Row) -> Vec<Column> {
    row.columns.iter().map(described).collect()
}

fn described(column: &PrinterColumn) -> Column {
    let description = match column.meaning {
        Meaning::Unsaid => "",
        Meaning::Field(owner, field) => openapi::description(owner, field),
        Meaning::Until(owner, field, end) => {
            let whole = openapi::description(owner, field);
            whole.split_once(end).map_or(whole, |(start, _)| start)
        }
        Meaning::Text(text) => text,
    };
    Column { description: description.to_owned(), ..Column::new(column.name, column.kind, column.wide) }
}
