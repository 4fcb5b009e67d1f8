//! Typed reading of the tree: collects every problem, and every resolved key with its origin.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Serialize;

use crate::problem::{Origin, Problem};
use crate::tree::{Entry, Node, Value};

/// A resolved key: what a command prints when asked where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The key's path.
    pub key: String,
    /// The value in JSON.
    pub value: serde_json::Value,
    /// Who said it.
    #[serde(flatten)]
    pub origin: Origin,
}

/// What reading has found so far.
#[derive(Debug, Default)]
pub struct Findings {
    /// The file's name, as the user knows it.
    pub file: Option<String>,
    /// Every key that was read.
    pub settings: Vec<Setting>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is allowed but unwise.
    pub warnings: Vec<Problem>,
}

impl Findings {
    /// Adds a problem with the key.
    pub fn problem(&mut self, key: &str, cause: impl Into<String>, next_step: impl Into<String>) {
        let problem = self.build(key, cause.into(), next_step.into());
        self.problems.push(problem);
    }

    /// Adds a warning about the key.
    pub fn warning(&mut self, key: &str, cause: impl Into<String>, next_step: impl Into<String>) {
        let warning = self.build(key, cause.into(), next_step.into());
        self.warnings.push(warning);
    }

    fn build(&self, key: &str, cause: String, next_step: String) -> Problem {
        Problem { file: self.file.clone(), origin: origin(&self.settings, key), key: key.to_owned(), cause, next_step }
    }

    /// Whether `key` was left to a default that is made from one of `sources`, and that one is wrong already: one mistake
    /// deserves one message.
    pub fn follows(&self, key: &str, sources: &[&str]) -> bool {
        let is_said = self.settings.iter().any(|setting| setting.key == key && setting.origin != Origin::Default);
        !is_said && self.problems.iter().any(|problem| sources.contains(&problem.key.as_str()))
    }

    fn at(&mut self, origin: &Origin, key: &str, cause: String, next_step: String) {
        let file = self.file.clone();
        self.problems.push(Problem { file, origin: origin.clone(), key: key.to_owned(), cause, next_step });
    }
}

/// Where the value of `key` came from.
pub fn origin(settings: &[Setting], key: &str) -> Origin {
    let below = |setting: &&Setting| setting.key.strip_prefix(key).is_some_and(|rest| rest.starts_with(['[', '.']));
    let said = settings.iter().find(|setting| setting.key == key);
    // A list or map is placed by its first item.
    let said = said.or_else(|| settings.iter().find(below));
    // A text of a list is placed by the list.
    let list = key.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')).map(|(list, _)| list);
    let said = said.or_else(|| settings.iter().find(|setting| Some(setting.key.as_str()) == list));
    said.map_or(Origin::Default, |setting| setting.origin.clone())
}

/// One map of the tree while its keys are taken out one by one.
pub struct Section<'a> {
    findings: &'a mut Findings,
    path: String,
    entries: Vec<Entry>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The file's own keys.
    pub fn root(findings: &'a mut Findings, node: Node) -> Self {
        Self::open(findings, String::new(), Some(node))
    }

    fn open(findings: &'a mut Findings, path: String, node: Option<Node>) -> Self {
        let entries = match node.map(|node| (node.value, node.origin)) {
            None | Some((Value::Null, _)) => Vec::new(),
            Some((Value::Map(entries), _)) => entries,
            Some((other, origin)) => {
                let cause = format!("expected a map of keys, found {}", other.kind());
                findings.at(&origin, &path, cause, "write the keys below it, indented".to_owned());
                Vec::new()
            }
        };
        Self { findings, path, entries, known: Vec::new() }
    }

    fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn know(&mut self, name: &'static str) {
        if !self.known.contains(&name) {
            self.known.push(name);
        }
    }

    fn take(&mut self, name: &'static str) -> Option<Node> {
        self.know(name);
        let index = self.entries.iter().position(|entry| entry.name == name)?;
        let node = self.entries.remove(index).node;
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    fn record(&mut self, key: String, value: serde_json::Value, origin: Origin) {
        self.findings.settings.push(Setting { key, value, origin });
    }

    fn wrong(&mut self, node: &Node, key: &str, expected: &str) {
        let cause = format!("expected {expected}, found {}", node.value.kind());
        self.findings.at(&node.origin, key, cause, format!("write {expected}"));
    }

    /// The map below `name`.
    pub fn section(&mut self, name: &'static str) -> Section<'_> {
        let node = self.take(name);
        let path = self.key(name);
        Section::open(self.findings, path, node)
    }

    /// The map below `name` if somebody wrote one.
    pub fn given_section(&mut self, name: &'static str) -> Option<Section<'_>> {
        self.is_given(name).then(|| self.section(name))
    }

    /// Whether somebody wrote the key `name`; it is known from now on.
    pub fn is_given(&mut self, name: &'static str) -> bool {
        self.know(name);
        self.entries.iter().any(|entry| entry.name == name && !matches!(entry.node.value, Value::Null))
    }

    /// The text at `name` if somebody said it: unlike [`Self::optional_text`], what nobody said is no setting. A number with a
    /// fraction counts as the text it looks like.
    pub fn given_text(&mut self, name: &'static str) -> Option<String> {
        if !self.is_given(name) {
            return None;
        }
        self.plain_number(name);
        self.optional_text(name, None)
    }

    /// Whether `name` is true, if somebody said it.
    pub fn given_switch(&mut self, name: &'static str) -> Option<bool> {
        self.is_given(name).then(|| self.switch(name, false))
    }

    /// The whole number at `name`, if somebody said it.
    pub fn given_integer(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let least = *range.start();
        self.is_given(name).then(|| self.integer(name, least, range))
    }

    /// The number at `name`, fraction allowed, if somebody said it.
    pub fn given_number(&mut self, name: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        let least = *range.start();
        self.is_given(name).then(|| self.number(name, least, range))
    }

    /// Where the map stands: the path of its own key, empty for the file's root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The text at `name`, or the default.
    pub fn text(&mut self, name: &'static str, default: &str) -> String {
        self.optional_text(name, Some(default)).unwrap_or_else(|| default.to_owned())
    }

    /// The text at `name` if somebody said it. Numbers and truth values count as the text they look like only where
    /// that is exact; a version such as 1.30 unquoted is refused, since YAML has turned it into 1.3.
    pub fn optional_text(&mut self, name: &'static str, default: Option<&str>) -> Option<String> {
        let key = self.key(name);
        let Some(node) = self.take(name) else {
            let value = default.map_or(serde_json::Value::Null, serde_json::Value::from);
            self.record(key, value, Origin::Default);
            return default.map(str::to_owned);
        };
        let text = match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            _ => None,
        };
        let Some(text) = text else {
            self.wrong(&node, &key, "text (in quotes)");
            return default.map(str::to_owned);
        };
        self.record(key, text.clone().into(), node.origin);
        Some(text)
    }

    /// The Kubernetes quantity at `name`: text such as `250m` or `256Mi`, or a plain number.
    pub fn quantity(&mut self, name: &'static str, default: &str) -> String {
        self.plain_number(name);
        self.text(name, default)
    }

    fn plain_number(&mut self, name: &str) {
        let plain = self.entries.iter_mut().find(|entry| entry.name == name);
        if let Some(entry) = plain
            && let Value::Float(number) = entry.node.value
        {
            entry.node.value = Value::Text(number.to_string());
        }
    }

    /// The whole number at `name` within `range`.
    pub fn integer(&mut self, name: &'static str, default: i64, range: RangeInclusive<i64>) -> i64 {
        let key = self.key(name);
        let Some(node) = self.take(name) else {
            self.record(key, default.into(), Origin::Default);
            return default;
        };
        let Value::Integer(number) = node.value else {
            self.wrong(&node, &key, "a whole number");
            return default;
        };
        self.record(key.clone(), number.into(), node.origin);
        if !range.contains(&number) {
            let (low, high) = range.into_inner();
            let (cause, next) = if high == i64::MAX {
                (format!("{number} is too small"), format!("use {low} or more"))
            } else {
                (format!("{number} is out of range"), format!("use {low} to {high}"))
            };
            self.findings.problem(&key, cause, next);
            return default;
        }
        number
    }

    /// Whether `name` is true, or the default.
    pub fn switch(&mut self, name: &'static str, default: bool) -> bool {
        let key = self.key(name);
        let Some(node) = self.take(name) else {
            self.record(key, default.into(), Origin::Default);
            return default;
        };
        let Value::Bool(on) = node.value else {
            self.wrong(&node, &key, "true or false");
            return default;
        };
        self.record(key, on.into(), node.origin);
        on
    }

    /// The number at `name`, fraction allowed, within `range`.
    pub fn number(&mut self, name: &'static str, default: f64, range: RangeInclusive<f64>) -> f64 {
        let key = self.key(name);
        let Some(node) = self.take(name) else {
            self.record(key, default.into(), Origin::Default);
            return default;
        };
        let number = match node.value {
            Value::Integer(number) => number as f64,
            Value::Float(number) => number,
            _ => {
                self.wrong(&node, &key, "a number");
                return default;
            }
        };
        self.record(key.clone(), number.into(), node.origin);
        if !range.contains(&number) {
            let next = format!("use {} to {}", range.start(), range.end());
            self.findings.problem(&key, format!("{number} is out of range"), next);
            return default;
        }
        number
    }

    /// One of the given words at `name`; the first is the default.
    pub fn word<T: Copy>(&mut self, name: &'static str, words: &[(&'static str, T)]) -> T {
        let (default, first) = words[0];
        let text = self.text(name, default);
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let key = self.key(name);
        let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.findings.problem(&key, format!("{text:?} is not known"), format!("use one of {}", list.join(", ")));
        first
    }

    /// The list of texts at `name`; `None` if nobody said it.
    pub fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        let key = self.key(name);
        let node = self.take(name)?;
        let Value::List(items) = node.value else {
            self.wrong(&node, &key, "a list of texts");
            return None;
        };
        let mut texts = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            match item.value {
                Value::Text(text) => texts.push(text),
                _ => self.wrong(&item, &format!("{key}[{index}]"), "text"),
            }
        }
        self.record(key, texts.clone().into(), node.origin);
        Some(texts)
    }

    /// The map of texts at `name`; numbers and truth values are taken as they look, as in a container's environment.
    pub fn text_map(&mut self, name: &'static str) -> BTreeMap<String, String> {
        let key = self.key(name);
        let mut map = BTreeMap::new();
        let Some(node) = self.take(name) else {
            return map;
        };
        let Value::Map(entries) = node.value else {
            self.wrong(&node, &key, "a map of keys to texts");
            return map;
        };
        for entry in entries {
            let path = format!("{key}.{}", entry.name);
            let text = match &entry.node.value {
                Value::Text(text) => text.clone(),
                Value::Integer(number) => number.to_string(),
                Value::Bool(value) => value.to_string(),
                _ => {
                    self.wrong(&entry.node, &path, "text (in quotes)");
                    continue;
                }
            };
            self.record(path, text.clone().into(), entry.node.origin);
            map.insert(entry.name, text);
        }
        map
    }

    /// Reads each item of the list at `name`; `None` if nobody said it.
    pub fn items<T>(&mut self, name: &'static str, mut read: impl FnMut(usize, &str, Item<'_>) -> T) -> Option<Vec<T>> {
        let key = self.key(name);
        let node = self.take(name)?;
        let Value::List(items) = node.value else {
            self.wrong(&node, &key, "a list");
            return None;
        };
        if items.is_empty() {
            self.record(key.clone(), serde_json::json!([]), node.origin);
        }
        let read_item = |(index, item): (usize, Node)| {
            let path = format!("{key}[{index}]");
            let item = Item { findings: &mut *self.findings, path: path.clone(), node: item };
            read(index, &path, item)
        };
        Some(items.into_iter().enumerate().map(read_item).collect())
    }

    /// Reports the key `name`, which has no meaning here, where somebody wrote it.
    pub fn refuse(&mut self, name: &str, cause: &str, next_step: &str) {
        let Some(index) = self.entries.iter().position(|entry| entry.name == name) else { return };
        let entry = self.entries.remove(index);
        if matches!(entry.node.value, Value::Null) {
            return;
        }
        let key = self.key(name);
        self.findings.at(&entry.origin, &key, cause.to_owned(), next_step.to_owned());
    }

    /// Adds a problem with the key `name`.
    pub fn problem(&mut self, name: &str, cause: impl Into<String>, next_step: impl Into<String>) {
        let key = self.key(name);
        self.findings.problem(&key, cause, next_step);
    }

    /// Takes over what was found while reading defaults apart, below `prefix`.
    pub fn adopt(&mut self, prefix: &str, defaults: Findings) {
        let under = |setting: Setting| Setting { key: format!("{prefix}.{}", setting.key), ..setting };
        self.findings.settings.extend(defaults.settings.into_iter().map(under));
    }

    /// Reports every key that nobody took out.
    pub fn finish(self) {
        for entry in &self.entries {
            let next_step = nearest(&entry.name, &self.known).map_or_else(
                || format!("the keys here are {}", self.known.join(", ")),
                |known| format!("did you mean {known:?}?"),
            );
            let key = self.key(&entry.name);
            self.findings.at(&entry.origin, &key, "unknown key".to_owned(), next_step);
        }
    }
}

/// One item of a list.
pub struct Item<'a> {
    findings: &'a mut Findings,
    path: String,
    node: Node,
}

impl<'a> Item<'a> {
    /// The item as plain text, if it is that.
    pub fn as_text(&mut self) -> Option<String> {
        let Value::Text(text) = &self.node.value else {
            return None;
        };
        let (key, value) = (self.path.clone(), text.clone().into());
        self.findings.settings.push(Setting { key, value, origin: self.node.origin.clone() });
        Some(text.clone())
    }

    /// The item as a map.
    pub fn section(self) -> Section<'a> {
        Section::open(self.findings, self.path, Some(self.node))
    }
}

/// The known name that is most like `name`, if one is near enough to be a slip.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-'], "");
    let wanted = plain(name);
    let distance = |candidate: &&&str| edits(&wanted, &plain(candidate));
    let best = known.iter().min_by_key(distance)?;
    (distance(&best) <= 2.max(wanted.chars().count() / 3)).then_some(*best)
}

/// Levenshtein distance.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (above + 1).min(row[j] + 1).min(diagonal + usize::from(a != *b));
            diagonal = above;
        }
    }
    row[right.len()]
}
