//! The service models: which operations a service has, and of what shape their inputs are.
//!
//! The tables in `models/` are derived by `models/derive.py` from the models that botocore carries.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::request::Service;

/// A service's operations and the shapes of their inputs.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Model {
    /// The API's version, a date.
    pub(crate) version: String,
    pub(crate) operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    /// The name of the input's shape; `None` for an operation that is not served.
    input: Option<String>,
    /// Method and address, in a REST protocol.
    http: Option<(String, String)>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Shape {
    Structure {
        required: Vec<String>,
        members: BTreeMap<String, Member>,
    },
    List {
        member: String,
        #[serde(flatten)]
        bounds: Bounds,
    },
    Map {
        key: String,
        value: String,
        #[serde(flatten)]
        bounds: Bounds,
    },
    String {
        #[serde(flatten)]
        bounds: Bounds,
        #[serde(rename = "enum")]
        values: Option<Vec<String>>,
        #[serde(default)]
        sensitive: bool,
        /// A pattern of word characters and those `beside` them.
        pattern: Option<String>,
        beside: Option<String>,
    },
    Integer {
        #[serde(flatten)]
        bounds: Bounds,
    },
    Boolean,
    Blob,
}

/// The least and the most: of a number, or of a length.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) struct Bounds {
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) shape: String,
    /// Where a REST protocol carries it: `uri`, `querystring`, or the body if not given.
    #[serde(rename = "in")]
    pub(crate) location: Option<String>,
    /// Its name there, or in EC2's query parameters.
    pub(crate) name: Option<String>,
}

/// The model of a service.
pub(crate) fn of(service: Service) -> &'static Model {
    static SQS: LazyLock<Model> = LazyLock::new(|| parse(include_str!("models/sqs.json")));
    static IAM: LazyLock<Model> = LazyLock::new(|| parse(include_str!("models/iam.json")));
    static STS: LazyLock<Model> = LazyLock::new(|| parse(include_str!("models/sts.json")));
    static EKS: LazyLock<Model> = LazyLock::new(|| parse(include_str!("models/eks.json")));
    static LOGS: LazyLock<Model> = LazyLock::new(|| parse(include_str!("models/cloudwatch_logs.json")));
    static ECR: LazyLock<Model> = LazyLock::new(|| parse(include_str!("models/ecr.json")));
    static TAGGING: LazyLock<Model> = LazyLock::new(|| parse(include_str!("models/tagging.json")));
    static EC2: LazyLock<Model> = LazyLock::new(|| parse(include_str!("models/ec2.json")));
    static QUOTAS: LazyLock<Model> = LazyLock::new(|| parse(include_str!("models/quotas.json")));
    match service {
        Service::Sqs => &SQS,
        Service::Iam => &IAM,
        Service::Sts => &STS,
        Service::Eks => &EKS,
        Service::Ecr => &ECR,
        Service::Tagging => &TAGGING,
        Service::CloudwatchLogs => &LOGS,
        Service::Ec2 => &EC2,
        Service::Quotas => &QUOTAS,
    }
}

fn parse(text: &str) -> Model {
    // The texts are part of the program, and a test reads them all.
    serde_json::from_str(text).unwrap_or_default()
}

impl Model {
    /// The input of a served operation: the members, and which of them are required.
    pub(crate) fn input(&self, operation: &str) -> Option<(&BTreeMap<String, Member>, &[String])> {
        match self.shape(self.operations.get(operation)?.input.as_deref()?)? {
            Shape::Structure { required, members } => Some((members, required)),
            _ => None,
        }
    }

    pub(crate) fn shape(&self, name: &str) -> Option<&Shape> {
        self.shapes.get(name)
    }

    /// The operation of a REST call, with its parameters in the address.
    pub(crate) fn route(&self, method: &str, segments: &[&str]) -> Option<(&str, BTreeMap<&str, String>)> {
        self.operations.iter().find_map(|(name, operation)| {
            let (wanted, address) = operation.http.as_ref()?;
            let pattern: Vec<_> = address.split('/').filter(|part| !part.is_empty()).collect();
            let mut found = BTreeMap::new();
            (wanted == method && matches(&pattern, segments, &mut found)).then_some((name.as_str(), found))
        })
    }
}

/// Whether segments fit a pattern such as `tags/{resourceArn}`; an ARN may hold slashes that a client did not encode.
fn matches<'a>(pattern: &[&'a str], segments: &[&str], found: &mut BTreeMap<&'a str, String>) -> bool {
    let (Some(first), rest) = (pattern.first(), pattern.get(1..).unwrap_or_default()) else {
        return segments.is_empty();
    };
    let Some(name) = first.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
        return segments.first() == Some(first) && matches(rest, &segments[1..], found);
    };
    let most = if name.ends_with("Arn") { segments.len() } else { segments.len().min(1) };
    let fits = (1..=most).find(|count| matches(rest, &segments[*count..], found));
    if let Some(count) = fits {
        found.insert(name, segments[..count].join("/"));
    }
    fits.is_some()
}
