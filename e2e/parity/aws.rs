//! The recorded requests to AWS endpoints, made again of the local one, in both protocols.
//!
//! An answer is compared as the paths and values of its leaves. An id becomes where it was first seen, so that the same
//! message, role or number must stand in the same members as in the recording.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use aws_credential_types::Credentials;
use regex::{Captures, Regex};
use serde_json::{Value, json};

use super::client::{Answer, Http};
use super::comparison::differences;
use super::local::Local;
use super::recording::{Exchange, Recording, read, resolved, texts};
use super::rules::{Replacements, names, pattern};
use super::xml;

pub(crate) struct Replay<'a> {
    local: &'a Local,
    http: Http,
    account: String,
    /// What stands in the names of a recording's things, lest those of another have the same.
    run: String,
    runs: u32,
    rules: Rules,
}

struct Rules {
    headers: Vec<String>,
    secrets: Vec<String>,
    opaque: Vec<String>,
    queue_url: Regex,
    ids: Vec<Regex>,
    times: Replacements,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(local: &'a Local) -> Self {
        let rules = read("rules.json")["aws"].take();
        let rules = Rules {
            headers: names(&rules["headers"]),
            secrets: names(&rules["secrets"]),
            opaque: names(&rules["opaque"]),
            queue_url: pattern(&rules["queue_url"]),
            ids: rules["ids"].as_array().unwrap().iter().map(pattern).collect(),
            times: Replacements::new(&rules["times"]),
        };
        Self { local, http: Http::new(""), account: local.account(), run: String::new(), runs: 0, rules }
    }

    /// The differences of all its answers, by the name of the step.
    pub(crate) fn run(&mut self, recording: &Recording) -> Vec<String> {
        self.runs += 1;
        // As long as those of the recorder, which stand in names whose length counts.
        self.run = format!("run{:05}", self.runs);
        let seen =
            Seen { replay: self, ids: RefCell::default(), handles: RefCell::default(), step: RefCell::default() };
        let (mut bodies, mut wrong) = (Vec::new(), Vec::new());
        for exchange in &recording.exchanges {
            let (body, found) = match resolved(&self.own(&exchange.request), &bodies) {
                Ok(request) => self.exchange(exchange, &request, &seen),
                Err(why) => (Value::Null, vec![format!(": {why}")]),
            };
            bodies.push(body);
            wrong.extend(found.into_iter().map(|line| format!("{}{line}", exchange.label)));
        }
        wrong
    }

    /// The request with this side's names.
    fn own(&self, request: &Value) -> Value {
        let queues = format!("{}/{}/", self.local.endpoint, self.account);
        texts(request, &|text| {
            text.replace("${queues}", &queues).replace("${run}", &self.run).replace("${account}", &self.account)
        })
    }

    fn exchange(&self, exchange: &Exchange, request: &Value, seen: &Seen<'_>) -> (Value, Vec<String>) {
        let answer = self.send(request);
        let body = structure(&answer.text);
        let comparable = json!({"status": answer.status, "leaves": seen.leaves(&exchange.label, &answer, &body)});
        let comparable = texts(&comparable, &|text| text.replace(&self.run, "RUN"));
        (body, differences(&exchange.expected, &comparable))
    }

    fn send(&self, request: &Value) -> Answer {
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let body = match (request.get("form"), request.get("json")) {
            (Some(Value::Array(pairs)), _) => {
                let pair = |pair: &Value| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned());
                form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs.iter().map(pair)).finish()
            }
            (_, Some(value)) => value.to_string(),
            _ => text("text"),
        };
        let path = request["path"].as_str().unwrap_or("/");
        let url = format!("{}{path}", self.local.endpoint);
        let mut headers = vec![("content-type".to_owned(), text("content"))];
        if let Some(target) = request["target"].as_str() {
            headers.push(("x-amz-target".to_owned(), target.to_owned()));
        }
        if request["unsigned"] != true {
            let session = request["as"].as_array().map(|keys| {
                let [key, secret, token] = [0, 1, 2].map(|index| keys[index].as_str().unwrap().to_owned());
                Credentials::new(key, secret, Some(token), None, "e2e")
            });
            let credentials = session.as_ref().unwrap_or(&self.local.credentials);
            headers = self.local.sign(&text("service"), credentials, &url, &headers, &body);
        }
        self.http.ask("POST", &url, &headers, &body)
    }
}

fn structure(text: &str) -> Value {
    if text.trim().is_empty() {
        return "empty".into();
    }
    let parsed = if text.trim_start().starts_with('<') { xml::document(text) } else { serde_json::from_str(text).ok() };
    parsed.unwrap_or_else(|| text.into())
}

/// What the answers of one recording held so far.
struct Seen<'a> {
    replay: &'a Replay<'a>,
    ids: RefCell<HashMap<String, String>>,
    handles: RefCell<Vec<String>>,
    step: RefCell<String>,
}

impl Seen<'_> {
    fn leaves(&self, step: &str, answer: &Answer, body: &Value) -> BTreeMap<String, Value> {
        step.clone_into(&mut self.step.borrow_mut());
        let mut found = BTreeMap::new();
        for name in &self.replay.rules.headers {
            if let [value, ..] = answer.header(name).as_slice() {
                found.insert(name.clone(), self.normal(value, name).into());
            }
        }
        self.collect("body", body, &mut found);
        found
    }

    fn collect(&self, path: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
        let last = path.rsplit('.').next().unwrap_or_default();
        let field = last.split('[').next().unwrap_or_default();
        if matches!(field, "RequestId" | "HostId") || field == "ResponseMetadata" && !value.is_object() {
            return;
        }
        let before = found.len();
        let is_one_of = |names: &[String]| names.iter().any(|name| name == field);
        match value {
            Value::Object(members) => {
                let sorted: BTreeMap<&String, &Value> = members.iter().collect();
                for (name, member) in sorted {
                    self.collect(&format!("{path}.{name}"), member, found);
                }
                if found.len() == before {
                    found.insert(path.to_owned(), "{}".into());
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.collect(&format!("{path}[{index}]"), item, found);
                }
                if found.len() == before {
                    found.insert(path.to_owned(), "[]".into());
                }
            }
            Value::String(text) if is_one_of(&self.replay.rules.secrets) => {
                found.insert(path.to_owned(), if text.is_empty() { "no secret" } else { "SECRET" }.into());
            }
            Value::String(text) if is_one_of(&self.replay.rules.opaque) => {
                if field == "ReceiptHandle" && !text.is_empty() {
                    self.handles.borrow_mut().push(text.clone());
                }
                found.insert(path.to_owned(), if text.is_empty() { "empty" } else { "OPAQUE" }.into());
            }
            Value::String(text) => drop(found.insert(path.to_owned(), self.normal(text, path).into())),
            other => drop(found.insert(path.to_owned(), other.clone())),
        }
    }

    fn normal(&self, text: &str, path: &str) -> String {
        let mut text =
            self.handles.borrow().iter().fold(text.to_owned(), |text, handle| text.replace(handle, "OPAQUE"));
        let rules = &self.replay.rules;
        text = rules.queue_url.replace_all(&text, "QUEUE_URL/").into_owned();
        for pattern in &rules.ids {
            text = pattern.replace_all(&text, |found: &Captures<'_>| self.named(&found[0], path)).into_owned();
        }
        rules.times.apply(&text).replace(&self.replay.account, "ACCOUNT")
    }

    /// An id by where it was first seen; the kind of a thing of IAM stays.
    fn named(&self, id: &str, path: &str) -> String {
        let kind = if id.starts_with(char::is_uppercase) { format!("{} ", &id[..4]) } else { String::new() };
        let mut ids = self.ids.borrow_mut();
        let first = ids.entry(id.to_owned()).or_insert_with(|| format!("as first in {}/{path}", self.step.borrow()));
        kind + first
    }
}
