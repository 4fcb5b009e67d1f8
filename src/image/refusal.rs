//! A registry's no, in one message that says what to do.

use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use serde_json::Value;

use crate::error::Error;
use crate::name::Name;

/// Characters of a registry's own words that are shown.
const ANSWER_CHARACTERS: usize = 300;

/// What is known about a push when it fails.
pub(crate) struct Refusal {
    registry: String,
    repository: String,
    who: String,
    plain_http: bool,
}

impl Refusal {
    pub(crate) fn new(name: &Name, auth: &RegistryAuth, plain_http: bool) -> Self {
        let who = match auth {
            RegistryAuth::Basic(user, _) => format!("user {user}"),
            RegistryAuth::Bearer(_) => "the bearer of this token".to_owned(),
            RegistryAuth::Anonymous => "somebody without credentials".to_owned(),
        };
        Self { registry: name.registry().to_owned(), repository: name.repository().to_owned(), who, plain_http }
    }

    /// The client's error as ours.
    pub(crate) fn explain(&self, error: OciDistributionError) -> Error {
        let registry = self.registry.clone();
        match error {
            OciDistributionError::AuthenticationFailure(answer) => self.denied(&answer),
            OciDistributionError::UnauthorizedError { .. } => self.denied(""),
            OciDistributionError::ServerError { code, message, .. } => self.answered(code, &message),
            OciDistributionError::RequestError(cause) => {
                Error::Unreachable { registry, cause: innermost(&cause), hint: self.hint() }
            }
            OciDistributionError::SpecViolationError(cause) | OciDistributionError::RegistryTokenDecodeError(cause) => {
                Error::NoRegistry { registry, cause, hint: self.hint() }
            }
            OciDistributionError::RegistryNoLocationError | OciDistributionError::UrlParseError(_) => {
                let cause = "it does not say where to send the layer".to_owned();
                Error::NoRegistry { registry, cause, hint: self.hint() }
            }
            other => Error::NoRegistry { registry, cause: other.to_string(), hint: self.hint() },
        }
    }

    /// The same of a look: a registry that does not know the image says so in two ways.
    pub(crate) fn explain_look(&self, error: OciDistributionError) -> Error {
        match error {
            OciDistributionError::ImageManifestNotFoundError(answer) => {
                let (registry, repository) = (self.registry.clone(), self.repository.clone());
                Error::NoRepository { registry, repository, answer: shown(Some(answer)) }
            }
            OciDistributionError::RegistryError { envelope, url } => {
                let has = |codes: &[OciErrorCode]| envelope.errors.iter().any(|error| codes.contains(&error.code));
                let answer = shown(envelope.errors.first().map(|error| error.message.clone()));
                let (registry, repository) = (self.registry.clone(), self.repository.clone());
                if has(&[OciErrorCode::ManifestUnknown, OciErrorCode::NameUnknown, OciErrorCode::NotFound]) {
                    return Error::NoRepository { registry, repository, answer };
                }
                if has(&[OciErrorCode::Denied, OciErrorCode::Unauthorized]) {
                    return Error::Denied { registry, who: self.who.clone(), repository, answer };
                }
                self.explain(OciDistributionError::RegistryError { envelope, url })
            }
            other => self.explain(other),
        }
    }

    fn denied(&self, body: &str) -> Error {
        Error::Denied {
            registry: self.registry.clone(),
            who: self.who.clone(),
            repository: self.repository.clone(),
            answer: shown(words(body)),
        }
    }

    fn answered(&self, code: u16, body: &str) -> Error {
        let (registry, repository) = (self.registry.clone(), self.repository.clone());
        let said = words(body);
        match code {
            401 | 403 => self.denied(body),
            // Without a registry's words it is somebody else who does not have the page.
            404 | 405 | 501 if said.is_none() => {
                let cause = format!("it answers {code} to an upload");
                Error::NoRegistry { registry, cause, hint: self.hint() }
            }
            404 => Error::NoRepository { registry, repository, answer: shown(said) },
            500.. => Error::Broken { registry, code, answer: shown(said) },
            _ => {
                let hint = match code {
                    413 => "; raise the limit of the proxy in front of it",
                    429 => "; wait and push again",
                    400 if self.plain_http => "; it may want https: use its name instead of a loopback address",
                    _ => "; look at its log",
                };
                Error::Refused { registry, repository, code, answer: shown(said), hint }
            }
        }
    }

    /// What is worth trying when nobody understands us.
    fn hint(&self) -> &'static str {
        if self.plain_http { "" } else { "; use --plain-http if it has no TLS" }
    }
}

/// The protocol's errors as one line; `None` for a body that is no such thing, such as a proxy's page.
fn words(body: &str) -> Option<String> {
    let value: Value = serde_json::from_str(body).ok()?;
    let errors = match value.get("errors") {
        Some(Value::Array(errors)) => errors.clone(),
        // Token services answer `{"details": …}`.
        _ => return value.get("details").and_then(Value::as_str).map(str::to_owned),
    };
    let lines = errors.iter().map(|error| {
        let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        // Unknown errors say what they are in their detail only.
        let detail = error.get("detail").filter(|_| text("code") == "UNKNOWN").map(Value::to_string);
        [text("code"), text("message"), &detail.unwrap_or_default()].join(" ").trim().to_owned()
    });
    Some(lines.collect::<Vec<_>>().join(", "))
}

fn shown(words: Option<String>) -> String {
    let words = words.unwrap_or_default();
    if words.is_empty() { words } else { format!(": {}", words.chars().take(ANSWER_CHARACTERS).collect::<String>()) }
}

/// The outer texts only say that a request was sent.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(code: u16, message: &str) -> Error {
        let name = Name::parse("registry.example/team/sluice:1").unwrap();
        let auth = RegistryAuth::Basic("alice".to_owned(), "s3cret".to_owned());
        let error =
            OciDistributionError::ServerError { code, url: "https://x".to_owned(), message: message.to_owned() };
        Refusal::new(&name, &auth, false).explain(error)
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let unknown = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known"}]}"#;
        let denied = r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#;
        for (code, message, expected) in [
            (401, "", "docker login registry.example"),
            (403, denied, "DENIED requested access"),
            (404, unknown, "create it there"),
            (404, "<html>nginx</html>", "no image registry"),
            (405, "", "no image registry"),
            (501, "<html>Unsupported method</html>", "no image registry"),
            (413, "<html>too large</html>", "proxy"),
            (429, "", "wait"),
            (500, r#"{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"Err":28}}]}"#, "disk"),
            (507, "", "disk"),
            (503, "<html>try later</html>", "log"),
        ] {
            let text = explained(code, message).to_string();
            assert!(text.contains(expected), "{code}: {text}");
            assert!(!text.contains("s3cret") && !text.contains("<html>"), "{text}");
        }
    }

    #[test]
    fn the_user_is_named_where_the_credentials_do_not_do() {
        assert!(explained(401, "").to_string().contains("user alice"));
    }

    #[test]
    fn a_long_answer_is_cut() {
        let long = format!(r#"{{"errors":[{{"code":"UNKNOWN","message":"{}"}}]}}"#, "x".repeat(10_000));
        assert!(explained(500, &long).to_string().len() < 600);
    }
}
