//! An object as the text of a Helm template: YAML, with Go's actions where the chart's values decide.

use serde_json::Value;

use crate::chart::overlay::{Change, Changes};

const STEP: usize = 2;

/// Writes one object.
pub(super) struct Writer<'a> {
    changes: &'a Changes,
    text: String,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(changes: &'a Changes) -> Self {
        Self { changes, text: String::new() }
    }

    pub(super) fn document(mut self, object: &Value) -> String {
        self.text.push_str("---\n");
        self.fields(object, "", 0);
        self.text
    }

    /// The fields of an object or the items of a list, each on a line of its own at `indent`.
    fn fields(&mut self, value: &Value, at: &str, indent: usize) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                    self.entry(&format!("{}:", word(key)), value, &at, indent);
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    self.entry("-", value, &format!("{at}/{index}"), indent);
                }
            }
            _ => {}
        }
        if let Some(lines) = self.changes.appended.get(at) {
            for line in lines.lines() {
                self.line(indent, &line.replace("nindent 0", &format!("nindent {indent}")));
            }
        }
    }

    fn entry(&mut self, lead: &str, value: &Value, at: &str, indent: usize) {
        let condition = self.changes.conditions.get(at);
        if let Some(condition) = condition {
            self.line(indent, &format!("{{{{- if {condition} }}}}"));
        }
        let below = indent + STEP;
        match self.changes.fields.get(at) {
            Some(Change::Dropped) => {}
            Some(Change::Set(expression)) => self.line(indent, &format!("{lead} {{{{ {expression} }}}}")),
            Some(Change::Yaml(expression)) => {
                self.line(indent, &format!("{lead} {{{{- {} | toYaml | nindent {below} }}}}", grouped(expression)));
            }
            Some(Change::With(expression)) => {
                self.line(indent, &format!("{{{{- with {expression} }}}}"));
                self.line(indent, &format!("{lead} {{{{- toYaml . | nindent {below} }}}}"));
                self.line(indent, "{{- end }}");
            }
            None => self.value(lead, value, at, indent),
        }
        if condition.is_some() {
            self.line(indent, "{{- end }}");
        }
    }

    fn value(&mut self, lead: &str, value: &Value, at: &str, indent: usize) {
        let is_whole = !self.is_touched_below(at);
        match value {
            Value::Array(items) if is_whole && items.iter().all(|item| !item.is_object() && !item.is_array()) => {
                self.line(indent, &format!("{lead} {}", scalar(value)));
            }
            Value::Object(fields) if is_whole && fields.is_empty() => self.line(indent, &format!("{lead} {{}}")),
            Value::Object(_) | Value::Array(_) if lead == "-" => {
                // The first field stands beside the dash; what is conditional there would come apart from it.
                let start = self.text.len();
                self.fields(value, at, indent + STEP);
                let first = start + indent;
                if self.text.get(start..).is_some_and(|text| text.trim_start().starts_with("{{")) {
                    self.text.insert_str(start, &format!("{}-\n", " ".repeat(indent)));
                } else {
                    self.text.replace_range(first..=first, "-");
                }
            }
            Value::Object(_) | Value::Array(_) => {
                self.line(indent, lead);
                self.fields(value, at, indent + STEP);
            }
            _ => self.line(indent, &format!("{lead} {}", scalar(value))),
        }
    }

    fn is_touched_below(&self, at: &str) -> bool {
        let prefix = format!("{at}/");
        let Changes { fields, conditions, appended } = self.changes;
        let below = |path: &String| path.starts_with(&prefix);
        fields.keys().any(below)
            || conditions.keys().any(below)
            || appended.keys().any(|path| path == at || below(path))
    }

    fn line(&mut self, indent: usize, line: &str) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// JSON is YAML. Braces in it are no action.
fn scalar(value: &Value) -> String {
    value.to_string().replace("{{", r#"{{ "{{" }}"#)
}

/// A key, in quotes only where it needs them.
fn word(key: &str) -> String {
    let is_plain = key.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(letter));
    let is_word = key.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && !matches!(key, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    if is_plain && is_word { key.to_owned() } else { Value::from(key).to_string() }
}

/// An expression with a pipe of its own binds first.
fn grouped(expression: &str) -> String {
    if expression.contains(' ') { format!("({expression})") } else { expression.to_owned() }
}
