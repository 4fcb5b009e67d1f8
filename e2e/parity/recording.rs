//! The recordings as files, and the references in their requests.

use std::path::PathBuf;

use regex::{Captures, Regex};
use serde_json::Value;

/// The exchanges of one parity test, in their order.
pub(crate) struct Recording {
    pub(crate) test: String,
    pub(crate) exchanges: Vec<Exchange>,
}

/// One request, and the answer that the local cloud is to give.
pub(crate) struct Exchange {
    pub(crate) label: String,
    pub(crate) request: Value,
    /// The real answer; where the local cloud differs on purpose, its own.
    pub(crate) expected: Value,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("e2e/parity")
}

/// A JSON file beside this one.
pub(crate) fn read(name: &str) -> Value {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All recordings of a suite, in the order in which its tests ran.
pub(crate) fn all(suite: &str) -> Vec<Recording> {
    let order = read(&format!("recorded/{suite}.json"));
    let names: Vec<&str> = order.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let files = std::fs::read_dir(folder().join("recorded").join(suite)).unwrap().count();
    assert_eq!(names.len(), files, "recorded/{suite}.json does not name every file of its folder");
    names.iter().map(|name| recording(&read(&format!("recorded/{suite}/{name}.json")))).collect()
}

fn recording(document: &Value) -> Recording {
    let exchanges = document["exchanges"].as_array().unwrap().iter().map(exchange).collect();
    Recording { test: document["test"].as_str().unwrap().to_owned(), exchanges }
}

fn exchange(document: &Value) -> Exchange {
    let mut expected = lengthened(&document["answer"]);
    for own in document["ours"].as_array().into_iter().flatten() {
        overlay(&mut expected, own["at"].as_str().unwrap(), lengthened(&own["value"]));
    }
    let label = document["label"].as_str().unwrap_or_default().to_owned();
    Exchange { label, request: document["request"].clone(), expected }
}

/// Puts the value where the pointer leads; its last member may be new.
fn overlay(document: &mut Value, pointer: &str, value: Value) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        *document = value;
        return;
    };
    let last = last.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) => drop(members.insert(last, value)),
        Some(Value::Array(items)) => items[last.parse::<usize>().unwrap()] = value,
        _ => panic!("a difference at {pointer}, where the recording holds nothing"),
    }
}

/// Every text of the value, changed.
pub(crate) fn texts(value: &Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => change(text).into(),
        Value::Array(items) => items.iter().map(|item| texts(item, change)).collect(),
        Value::Object(members) => members.iter().map(|(name, member)| (change(name), texts(member, change))).collect(),
        other => other.clone(),
    }
}

/// `${x*100}` is a hundred times `x`.
fn lengthened(value: &Value) -> Value {
    let run = Regex::new(r"\$\{(.)\*(\d+)\}").unwrap();
    texts(value, &|text| {
        run.replace_all(text, |found: &Captures<'_>| found[1].repeat(found[2].parse().unwrap())).into_owned()
    })
}

/// The request with what its references name in earlier answers, or the reference that names nothing.
pub(crate) fn resolved(request: &Value, answers: &[Value]) -> Result<Value, String> {
    let reference = Regex::new(r"\$\{(\d+)#([^}]*)\}").unwrap();
    let missing = std::cell::RefCell::new(None);
    let found = texts(&lengthened(request), &|text| {
        let value = |found: &Captures<'_>| {
            let answer = found[1].parse::<usize>().ok().and_then(|number| answers.get(number));
            let held = answer.and_then(|answer| answer.pointer(&found[2])).and_then(Value::as_str);
            held.unwrap_or_else(|| {
                *missing.borrow_mut() = Some(found[0].to_owned());
                ""
            })
            .to_owned()
        };
        reference.replace_all(text, value).into_owned()
    });
    match missing.into_inner() {
        Some(reference) => Err(format!("no earlier answer holds what {reference} names")),
        None => Ok(found),
    }
}
