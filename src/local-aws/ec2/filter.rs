//! `Filter.N`: all filters must match, each by one of its values, in which `*` and `?` stand for what is not said.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::strings;

/// A thing as it is shown, with what it can be found by.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(super) shown: Value,
    keys: BTreeMap<String, Vec<String>>,
}

impl Row {
    pub(super) fn new(shown: Value, keys: &[(&'static str, &[&str])]) -> Self {
        let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        Self { shown, keys: keys.iter().map(|(key, values)| ((*key).to_owned(), texts(values))).collect() }
    }

    /// The same with tags: shown, and what it can be found by.
    pub(super) fn tagged(mut self, tags: &BTreeMap<String, String>) -> Self {
        let set = tags.iter().map(|(key, value)| json!({ "key": key, "value": value }));
        self.shown["tagSet"] = set.collect();
        self.keys.insert("tag-key".to_owned(), tags.keys().cloned().collect());
        self.keys.extend(tags.iter().map(|(key, value)| (format!("tag:{key}"), vec![value.clone()])));
        self
    }

    pub(super) fn is(&self, key: &str, value: &str) -> bool {
        self.keys.get(key).is_some_and(|values| values.iter().any(|one| one == value))
    }
}

/// Names and values.
pub(super) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    pub(super) fn of(input: &Value) -> Result<Self, Fault> {
        // DescribeNatGateways has another name for them.
        let given =
            input.get("Filters").or_else(|| input.get("Filter")).and_then(Value::as_array).into_iter().flatten();
        let filter = |filter: &Value| {
            let name = filter.get("Name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let values = strings::list(filter.get("Values"));
            if values.is_empty() {
                return Err(Fault::sender("InvalidParameterValue", "The filter 'null' is invalid"));
            }
            Ok((name, values))
        };
        given.map(filter).collect::<Result<_, _>>().map(Self)
    }

    /// Refuses filters that the rows know nothing of.
    pub(super) fn check(&self, rows: &[Row]) -> Result<(), Fault> {
        let Some(row) = rows.first() else { return Ok(()) };
        let is_known = |name: &str| name.starts_with("tag:") || name == "tag-key" || row.keys.contains_key(name);
        match self.0.iter().find(|(name, _)| !is_known(name)) {
            Some((name, _)) => Err(Fault::sender("InvalidParameterValue", format!("The filter '{name}' is invalid"))),
            None => Ok(()),
        }
    }

    pub(super) fn match_row(&self, row: &Row) -> bool {
        self.0.iter().all(|(name, patterns)| {
            let values = row.keys.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
            values.iter().any(|value| patterns.iter().any(|pattern| is_like(pattern.as_bytes(), value.as_bytes())))
        })
    }
}

fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((b'*', after)), rest) => is_like(after, text) || rest.is_some_and(|(_, rest)| is_like(pattern, rest)),
        (Some((b'?', after)), Some((_, rest))) => is_like(after, rest),
        (Some((one, after)), Some((other, rest))) => one == other && is_like(after, rest),
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_what_is_not_said() {
        assert!(is_like(b"subnet-*", b"subnet-1") && is_like(b"*-?", b"subnet-1") && is_like(b"*", b""));
        assert!(!is_like(b"subnet-?", b"subnet-12") && !is_like(b"", b"x") && !is_like(b"vpc*", b"subnet"));
    }
}
