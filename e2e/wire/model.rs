//! The service models: operations, shapes, and how each is carried on the wire.
//!
//! `models/derive.py` makes the extracts from the models that botocore carries; they hold what the product can call.

use std::collections::BTreeMap;

use serde_json::Value;

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// AWS JSON: the operation is a header, both bodies are JSON.
    Json,
    /// Forms in, XML out.
    Query,
    /// The same in EC2's spelling.
    Ec2,
    /// Method and path are the operation, both bodies are JSON.
    RestJson,
}

/// One service.
pub(super) struct Model {
    document: Value,
    pub(super) protocol: Protocol,
}

impl Model {
    fn parse(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).unwrap();
        let protocol = match document["protocol"].as_str().unwrap() {
            "json" => Protocol::Json,
            "query" => Protocol::Query,
            "ec2" => Protocol::Ec2,
            "rest-json" => Protocol::RestJson,
            other => panic!("no way to read {other}"),
        };
        Self { document, protocol }
    }

    /// The API's version, which a query says.
    pub(super) fn version(&self) -> &str {
        self.document["apiVersion"].as_str().unwrap()
    }

    pub(super) fn operation(&self, name: &str) -> Option<Operation<'_>> {
        self.document["operations"].get(name).map(Operation)
    }

    pub(super) fn shape(&self, name: &str) -> &Value {
        &self.document["shapes"][name]
    }

    /// The operation of a method and a path, with what the path says by its members' places.
    pub(super) fn route(&self, method: &str, path: &str) -> Option<(&str, BTreeMap<String, String>)> {
        let given: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        self.document["operations"].as_object()?.iter().find_map(|(name, operation)| {
            let (wanted, address) = (operation["http"][0].as_str()?, operation["http"][1].as_str()?);
            let pattern: Vec<&str> = address.split('/').filter(|part| !part.is_empty()).collect();
            let labels = (wanted == method && pattern.len() == given.len()).then(|| matched(&pattern, &given))??;
            Some((name.as_str(), labels))
        })
    }
}

fn matched(pattern: &[&str], given: &[String]) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for (wanted, part) in pattern.iter().zip(given) {
        match wanted.strip_prefix('{').and_then(|label| label.strip_suffix('}')) {
            Some(label) => drop(labels.insert(label.to_owned(), part.clone())),
            None if wanted == part => {}
            None => return None,
        }
    }
    Some(labels)
}

pub(super) fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// One operation.
#[derive(Clone, Copy)]
pub(super) struct Operation<'a>(&'a Value);

impl<'a> Operation<'a> {
    pub(super) fn input(self) -> Option<&'a str> {
        self.0["input"].as_str()
    }

    pub(super) fn output(self) -> Option<&'a str> {
        self.0["output"].as_str()
    }

    /// The element around an output of XML.
    pub(super) fn wrapper(self) -> Option<&'a str> {
        self.0["wrapper"].as_str()
    }

    /// The shapes of its errors.
    pub(super) fn errors(self) -> impl Iterator<Item = &'a str> {
        self.0["errors"].as_array().unwrap().iter().filter_map(Value::as_str)
    }
}

/// The model of a service by its name in a credential scope.
pub(super) struct Models(BTreeMap<&'static str, Model>);

impl Models {
    pub(super) fn load() -> Self {
        let texts = [
            ("ec2", include_str!("models/ec2.json")),
            ("ecr", include_str!("models/ecr.json")),
            ("eks", include_str!("models/eks.json")),
            ("iam", include_str!("models/iam.json")),
            ("logs", include_str!("models/logs.json")),
            ("servicequotas", include_str!("models/servicequotas.json")),
            ("sqs", include_str!("models/sqs.json")),
            ("sts", include_str!("models/sts.json")),
        ];
        Self(texts.into_iter().map(|(name, text)| (name, Model::parse(text))).collect())
    }

    pub(super) fn of(&self, service: &str) -> Option<&Model> {
        self.0.get(service)
    }
}
