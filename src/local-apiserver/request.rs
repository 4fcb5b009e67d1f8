//! A request as the handlers see it, whether it came by socket or from inside, and the reply.

mod duplicates;
pub(crate) mod hooks;
pub(crate) mod resource_request;

use bytes::Bytes;
use futures::stream::BoxStream;
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::openapi::{self, Reading};
use crate::protobuf;
use crate::status::Status;
use crate::user::User;
use crate::watch::Event;

/// How long the name of a field manager may be.
pub(crate) const MANAGER_BYTES_MAX: usize = 128;

/// One authenticated request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) user: User,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What a handler answers.
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) content_type: String,
    pub(crate) body: Body,
    /// Texts for `Warning` headers.
    pub(crate) warnings: Vec<String>,
    /// `ETag`, where a document has one.
    pub(crate) etag: Option<String>,
}

pub(crate) enum Body {
    Json(Value),
    Bytes(Bytes),
    Stream(BoxStream<'static, Bytes>),
    Events(BoxStream<'static, Event>),
}

impl Reply {
    pub(crate) fn json(code: u16, value: Value) -> Self {
        Self {
            code,
            content_type: "application/json".to_owned(),
            body: Body::Json(value),
            warnings: Vec::new(),
            etag: None,
        }
    }

    pub(crate) fn text(code: u16, text: &str) -> Self {
        Self {
            content_type: "text/plain; charset=utf-8".to_owned(),
            body: Body::Bytes(Bytes::copy_from_slice(text.as_bytes())),
            ..Self::json(code, Value::Null)
        }
    }

    /// What the real server's router says of a path below which nobody serves anything.
    pub(crate) fn no_page() -> Self {
        Self::text(404, "404 page not found\n")
    }

    pub(crate) fn typed(mut self, content_type: &str) -> Self {
        content_type.clone_into(&mut self.content_type);
        self
    }
}

impl From<Status> for Reply {
    fn from(status: Status) -> Self {
        Self::json(status.code(), status.into_value())
    }
}

/// The decoded query string.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may stand more than once.
    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| matches!(value, "true" | "1" | ""))
    }

    pub(crate) fn number(&self, key: &str) -> Option<i64> {
        self.get(key)?.parse().ok()
    }

    pub(crate) fn encoded(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn dry_run(&self) -> bool {
        self.query.get("dryRun") == Some("All")
    }

    /// Who is written into `managedFields`: the parameter, else the program's name.
    pub(crate) fn manager(&self) -> String {
        if let Some(manager) = self.query.get("fieldManager").filter(|manager| !manager.is_empty()) {
            return manager.to_owned();
        }
        let agent = self.header("user-agent").split('/').next().unwrap_or_default();
        let name = if agent.is_empty() { self.user.name.rsplit(':').next().unwrap_or_default() } else { agent };
        let mut manager = String::new();
        for c in name.chars().filter(|c| !c.is_control()) {
            if manager.len() + c.len_utf8() > MANAGER_BYTES_MAX {
                break;
            }
            manager.push(c);
        }
        manager
    }

    /// Fields that stand twice in a JSON body.
    pub(crate) fn duplicate_fields(&self) -> Vec<String> {
        duplicates::duplicates(&self.body)
    }

    /// The body as what is no stored object, by its group, version and kind: a Scale, a review.
    pub(crate) fn body_as(&self, group: &str, version: &str, kind: &str) -> Result<Value, Status> {
        let mut body = self.body_value()?;
        match openapi::read((group, version, kind), Reading::Decoded, &mut body).invalid {
            None => Ok(body),
            // Options are read before the kind that they are for is known.
            Some(why) if kind == "DeleteOptions" => Err(Status::bad_request(why)),
            Some(why) => Err(Status::bad_request(format!(
                "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"
            ))),
        }
    }

    /// The body as JSON, or as YAML where it is no JSON.
    pub(crate) fn body_value(&self) -> Result<Value, Status> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        let content_type = self.header("content-type");
        let media = content_type.split(';').next().unwrap_or_default().trim();
        if self.method != Method::PATCH
            && !matches!(media, "" | "application/json" | "application/yaml" | protobuf::CONTENT_TYPE)
        {
            return Err(Status::unsupported_media_type(
                "application/json, application/yaml, application/vnd.kubernetes.protobuf",
            ));
        }
        if content_type.starts_with(protobuf::CONTENT_TYPE) {
            return protobuf::decode(&self.body)
                .map_err(|why| Status::bad_request(format!("the object provided is unrecognized: {why}")));
        }
        serde_json::from_slice(&self.body).or_else(|error| {
            if !content_type.contains("yaml") {
                return Err(Status::bad_request(format!(
                    "the object provided is unrecognized (must be valid JSON): {error}"
                )));
            }
            let text = std::str::from_utf8(&self.body).map_err(|error| Status::bad_request(error.to_string()))?;
            serde_saphyr::from_str(text).map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")))
        })
    }
}

/// A path below `/api` or `/apis`, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) subresource: String,
    /// What follows the subresource.
    pub(crate) rest: String,
}

impl Target {
    /// `None` for paths that name no resource.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let (group, version, rest) = match parts.first().map(String::as_str) {
            Some("api") if parts.len() >= 3 => (String::new(), parts[1].clone(), &parts[2..]),
            Some("apis") if parts.len() >= 4 => (parts[1].clone(), parts[2].clone(), &parts[3..]),
            _ => return None,
        };
        let own = rest.len() == 3 && matches!(rest[2].as_str(), "finalize" | "status");
        let namespaced = rest[0] == "namespaces" && rest.len() >= 3 && !own;
        let (namespace, rest) = if namespaced { (rest[1].clone(), &rest[2..]) } else { (String::new(), rest) };
        let part = |index: usize| rest.get(index).cloned().unwrap_or_default();
        let tail = rest.get(3..).map(|tail| tail.join("/")).unwrap_or_default();
        Some(Self { group, version, plural: part(0), namespace, name: part(1), subresource: part(2), rest: tail })
    }

    /// The authoriser's verb for a method on this target.
    pub(crate) fn verb(&self, method: &Method, query: &Query) -> &'static str {
        match *method {
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if self.name.is_empty() => "deletecollection",
            Method::DELETE => "delete",
            _ if !self.name.is_empty() => "get",
            _ if query.is_true("watch") => "watch",
            _ => "list",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_as_the_api_server_does() {
        let target = Target::parse("/apis/apps/v1/namespaces/a/deployments/x/status").unwrap();
        assert_eq!(
            (target.group.as_str(), target.namespace.as_str(), target.name.as_str(), target.subresource.as_str()),
            ("apps", "a", "x", "status")
        );
        let namespace = Target::parse("/api/v1/namespaces/a/finalize").unwrap();
        assert_eq!((namespace.plural.as_str(), namespace.name.as_str()), ("namespaces", "a"));
        assert_eq!(namespace.subresource, "finalize");
        assert_eq!(Target::parse("/api/v1/namespaces/a").unwrap().name, "a");
        assert_eq!(Target::parse("/apis/apps/v1"), None);
    }
}
