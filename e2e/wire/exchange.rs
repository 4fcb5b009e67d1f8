//! One exchange of the local cloud's wire log, read by its protocol into the members of the service's model.
//!
//! Whatever a form or an answer holds beside its operation's members stays in the value under its own name, so that it is found.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::model::{Model, Models, Operation, Protocol, decoded};
use crate::parity::xml;

/// An exchange as it stands in the log.
pub(super) struct Exchange<'a> {
    pub(super) service: &'a str,
    pub(super) operation: String,
    pub(super) caller: Option<&'a str>,
    pub(super) status: u64,
    /// The input by the model's names.
    pub(super) input: Value,
    pub(super) answer: Answer,
    /// What IAM was asked: action, resource, whether it was allowed.
    pub(super) authorized: Vec<(&'a str, &'a str, bool)>,
}

/// How a call was answered.
pub(super) enum Answer {
    Output(Value),
    /// The code as the protocol spells it, and what the body holds.
    Error(String, Value),
}

impl<'a> Exchange<'a> {
    /// Reads a line of the log; why it cannot be read, otherwise.
    pub(super) fn read(models: &Models, line: &'a Value) -> Result<Self, String> {
        let service = line["service"].as_str().unwrap();
        let model = models.of(service).ok_or_else(|| format!("there is no extract of {service}"))?;
        let (request, answer) = (&line["request"], &line["answer"]);
        let (operation, input) = requested(model, request)?;
        let described = model.operation(&operation);
        let described =
            described.ok_or_else(|| format!("the extract of {service} lacks {operation}: run derive.py"))?;
        let status = answer["status"].as_u64().unwrap();
        let authorized = line["authorized"].as_array().into_iter().flatten();
        let authorized = authorized.map(|one| {
            (one["action"].as_str().unwrap(), one["resource"].as_str().unwrap(), one["allowed"].as_bool().unwrap())
        });
        Ok(Self {
            service,
            status,
            caller: line["caller"].as_str(),
            input,
            answer: answered(model, described, &operation, answer)
                .map_err(|what| format!("{service}:{operation}: answer: {what}"))?,
            operation,
            authorized: authorized.collect(),
        })
    }
}

fn text<'a>(side: &'a Value, header: &str) -> Option<&'a str> {
    side["headers"][header].as_str()
}

fn parsed(body: &str) -> Result<Value, String> {
    if body.is_empty() { Ok(json!({})) } else { serde_json::from_str(body).map_err(|error| format!("{error}: {body}")) }
}

/// The operation and its input.
fn requested(model: &Model, request: &Value) -> Result<(String, Value), String> {
    let (body, query) = (request["body"].as_str().unwrap(), request["query"].as_str().unwrap());
    match model.protocol {
        Protocol::Json => {
            let target = text(request, "x-amz-target").ok_or("there is no x-amz-target")?;
            Ok((target.rsplit('.').next().unwrap_or_default().to_owned(), parsed(body)?))
        }
        Protocol::Query | Protocol::Ec2 => {
            let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body.as_bytes()));
            let mut pairs: BTreeMap<String, String> =
                pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
            // A presigned address carries its signature beside the operation's members.
            pairs.retain(|name, _| !name.starts_with("X-Amz-"));
            let operation = pairs.remove("Action").ok_or("there is no Action")?;
            let version = pairs.remove("Version").unwrap_or_default();
            if version != model.version() {
                return Err(format!("{operation}: the version is {version:?}, not {}", model.version()));
            }
            let input = model.operation(&operation).and_then(Operation::input);
            let mut value =
                input.map_or_else(|| json!({}), |shape| from_form(model, shape, "", &mut pairs).unwrap_or(json!({})));
            for (name, rest) in pairs {
                value[name] = rest.into();
            }
            Ok((operation, value))
        }
        Protocol::RestJson => {
            let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
            let (operation, labels) =
                model.route(method, path).ok_or_else(|| format!("no operation is {method} {path}"))?;
            let mut value = parsed(body)?;
            let shape = model.operation(operation).and_then(Operation::input).map(|name| model.shape(name));
            let members = shape.and_then(|shape| shape["members"].as_object());
            let member = |place: &str, name: &str| {
                let found = members?.iter().find(|(_, one)| one["location"] == place && one["locationName"] == name);
                found.map(|(member, one)| (member.clone(), model.shape(one["shape"].as_str().unwrap())))
            };
            let of_query = query.split('&').filter_map(|pair| pair.split_once('='));
            let of_query = of_query.map(|(name, value)| ("querystring", decoded(name), decoded(value)));
            let of_path = labels.into_iter().map(|(name, value)| ("uri", name, value));
            for (place, name, text) in of_path.chain(of_query) {
                match member(place, &name) {
                    Some((member, shape)) => match value.get_mut(&member) {
                        Some(Value::Array(items)) => items.push(text.into()),
                        _ if shape["type"] == "list" => value[member] = json!([text]),
                        _ => value[member] = typed(shape, text),
                    },
                    None => value[name] = text.into(),
                }
            }
            Ok((operation.to_owned(), value))
        }
    }
}

/// What a text says as a value of this shape; the text itself if it says nothing of the kind.
fn typed(shape: &Value, text: String) -> Value {
    match shape["type"].as_str() {
        Some("integer" | "long") => text.parse::<i64>().map_or(Value::String(text), Value::from),
        Some("boolean") => text.parse::<bool>().map_or(Value::String(text), Value::from),
        _ => text.into(),
    }
}

/// A member's name in a form. EC2 has its own, with a capital (Smithy, "AWS EC2 query protocol").
fn of_form(model: &Model, member: &str, described: &Value) -> String {
    if model.protocol != Protocol::Ec2 {
        return member.to_owned();
    }
    let own = || {
        let name = described["locationName"].as_str().unwrap_or(member);
        name[..1].to_uppercase() + &name[1..]
    };
    described["queryName"].as_str().map_or_else(own, str::to_owned)
}

/// Takes the pairs of a form that are of this shape.
fn from_form(model: &Model, name: &str, prefix: &str, pairs: &mut BTreeMap<String, String>) -> Option<Value> {
    let shape = model.shape(name);
    let below = |part: &str| if prefix.is_empty() { part.to_owned() } else { format!("{prefix}.{part}") };
    match shape["type"].as_str() {
        Some("structure") => {
            let mut value = Map::new();
            for (member, one) in shape["members"].as_object()? {
                let found = from_form(model, one["shape"].as_str()?, &below(&of_form(model, member, one)), pairs);
                value.extend(found.map(|found| (member.clone(), found)));
            }
            (!value.is_empty()).then_some(Value::Object(value))
        }
        Some("list") => {
            // An empty list is its name alone.
            let is_empty = pairs.remove(prefix).is_some();
            let name = shape["memberName"].as_str().unwrap_or("member");
            let item = |index: usize| match model.protocol {
                Protocol::Ec2 => index.to_string(),
                _ => format!("{name}.{index}"),
            };
            let items =
                (1..).map_while(|index| from_form(model, shape["member"].as_str()?, &below(&item(index)), pairs));
            let items: Vec<Value> = items.collect();
            (is_empty || !items.is_empty()).then_some(Value::Array(items))
        }
        _ => pairs.remove(prefix).map(|text| typed(shape, text)),
    }
}

fn answered(model: &Model, operation: Operation<'_>, name: &str, answer: &Value) -> Result<Answer, String> {
    let (status, body) = (answer["status"].as_u64().unwrap(), answer["body"].as_str().unwrap());
    let is_json = text(answer, "content-type").is_some_and(|kind| kind.contains("json"));
    if status >= 300 {
        return failed(model, answer, is_json);
    }
    let output = operation.output();
    let value = match model.protocol {
        Protocol::Json | Protocol::RestJson => parsed(body)?,
        // Authenticators of EKS tokens ask STS for JSON.
        Protocol::Query if is_json => {
            parsed(body)?[format!("{name}Response")][operation.wrapper().unwrap_or_default()].take()
        }
        Protocol::Query => {
            let document = xml::document(body).ok_or_else(|| format!("no XML: {body}"))?;
            let whole = &document[format!("{name}Response")];
            if whole["ResponseMetadata"]["RequestId"].as_str().is_none_or(str::is_empty) {
                return Err(format!("{name}: the answer has no RequestId: {body}"));
            }
            match (operation.wrapper(), output) {
                (Some(wrapper), Some(shape)) => from_xml(model, shape, &whole[wrapper]),
                _ => json!({}),
            }
        }
        Protocol::Ec2 => {
            let mut document = xml::document(body).ok_or_else(|| format!("no XML: {body}"))?;
            let whole = document[format!("{name}Response")].take();
            let mut members = whole.as_object().cloned().unwrap_or_default();
            if members.remove("requestId").is_none_or(|id| id.as_str().is_none_or(str::is_empty)) {
                return Err(format!("{name}: the answer has no requestId: {body}"));
            }
            output.map_or_else(|| json!({}), |shape| from_xml(model, shape, &Value::Object(members)))
        }
    };
    if output.is_none() && value.as_object().is_some_and(|members| !members.is_empty()) {
        return Err(format!("{name} has no output, and {value} was answered"));
    }
    Ok(Answer::Output(value))
}

fn failed(model: &Model, answer: &Value, is_json: bool) -> Result<Answer, String> {
    let body = answer["body"].as_str().unwrap();
    let unreadable = || format!("no code: {body}");
    let last =
        |text: &str| text.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
    match model.protocol {
        Protocol::Json => {
            let body = parsed(body)?;
            Ok(Answer::Error(last(body["__type"].as_str().ok_or_else(unreadable)?), body))
        }
        Protocol::RestJson => {
            Ok(Answer::Error(last(text(answer, "x-amzn-errortype").ok_or_else(unreadable)?), parsed(body)?))
        }
        Protocol::Query if is_json => {
            let error = parsed(body)?["Error"].take();
            Ok(Answer::Error(error["Code"].as_str().ok_or_else(unreadable)?.to_owned(), error))
        }
        Protocol::Query | Protocol::Ec2 => {
            let mut document = xml::document(body).ok_or_else(unreadable)?;
            let error = match model.protocol {
                Protocol::Ec2 => document["Response"]["Errors"]["Error"].take(),
                _ => document["ErrorResponse"]["Error"].take(),
            };
            Ok(Answer::Error(error["Code"].as_str().ok_or_else(unreadable)?.to_owned(), error))
        }
    }
}

/// Elements as values of a shape. What is no member stays as it is.
fn from_xml(model: &Model, name: &str, element: &Value) -> Value {
    let shape = model.shape(name);
    let listed = |element: &Value, item: &str| match &element[item] {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    };
    match (shape["type"].as_str(), element) {
        // An element without content has no members, or is an empty text.
        (Some("structure"), Value::String(text)) if text.is_empty() => json!({}),
        (Some("structure"), Value::Object(elements)) => {
            let described = shape["members"].as_object();
            let member = |element: &str| {
                described?.iter().find(|(name, one)| one["locationName"].as_str().unwrap_or(name) == element)
            };
            let members = elements.iter().map(|(element, value)| match member(element) {
                Some((name, one)) => (name.clone(), from_xml(model, one["shape"].as_str().unwrap(), value)),
                None => (element.clone(), value.clone()),
            });
            Value::Object(members.collect())
        }
        (Some("list"), element) => {
            let items = listed(element, shape["memberName"].as_str().unwrap_or("member"));
            items.iter().map(|item| from_xml(model, shape["member"].as_str().unwrap(), item)).collect()
        }
        (Some("map"), element) => {
            let entries = listed(element, "entry").into_iter().filter_map(|entry| {
                Some((entry["key"].as_str()?.to_owned(), from_xml(model, shape["value"].as_str()?, &entry["value"])))
            });
            Value::Object(entries.collect())
        }
        (_, Value::String(text)) => typed(shape, text.clone()),
        (_, other) => other.clone(),
    }
}
