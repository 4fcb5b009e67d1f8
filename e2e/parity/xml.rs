//! XML answers of AWS as JSON: an element is its members by local name, or its text.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

struct Element {
    name: String,
    text: String,
    members: Map<String, Value>,
}

impl Element {
    fn new(tag: &BytesStart<'_>) -> Self {
        let name = String::from_utf8_lossy(tag.local_name().as_ref()).into_owned();
        Self { name, text: String::new(), members: Map::new() }
    }

    /// Several members of one name are a list.
    fn add(&mut self, member: Self) {
        let (name, value) = (member.name.clone(), member.value());
        match self.members.get_mut(&name) {
            Some(Value::Array(items)) => items.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => drop(self.members.insert(name, value)),
        }
    }

    fn value(self) -> Value {
        match (self.members.is_empty(), self.text.trim().is_empty()) {
            (false, _) => Value::Object(self.members),
            (true, true) => "".into(),
            (true, false) => self.text.into(),
        }
    }
}

/// The root under its name, and the namespace that it declares; `None` if this is no XML.
pub(crate) fn document(text: &str) -> Option<Value> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut namespace = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                if open.is_empty() {
                    namespace = declared(&tag);
                }
                open.push(Element::new(&tag));
            }
            Event::Empty(tag) => open.last_mut()?.add(Element::new(&tag)),
            Event::Text(held) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&held.decode().ok()?);
                }
            }
            Event::GeneralRef(held) => {
                let character = held.resolve_char_ref().ok()?.map(String::from);
                let entity = || resolve_predefined_entity(&held.decode().ok()?).map(str::to_owned);
                open.last_mut()?.text.push_str(&character.or_else(entity)?);
            }
            Event::End(_) => {
                let element = open.pop()?;
                let Some(parent) = open.last_mut() else {
                    let name = element.name.clone();
                    return Some(Value::Object(Map::from_iter([
                        ("xmlns".to_owned(), namespace.into()),
                        (name, element.value()),
                    ])));
                };
                parent.add(element);
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn declared(root: &BytesStart<'_>) -> String {
    let namespace = root.try_get_attribute("xmlns").ok().flatten();
    namespace.map_or_else(String::new, |held| String::from_utf8_lossy(&held.value).into_owned())
}
