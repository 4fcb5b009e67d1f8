//! `authMode` and `authModes` of triggers that are read over HTTP (`docs/rules.md#keda-authentication-over-http`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderMap;
use url::Url;

use crate::http;
use crate::metadata::Metadata;
use crate::tls::Tls;

/// How a trigger shows who it is. It is shown nowhere.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    headers: HeaderMap,
    /// A parameter of the query.
    query: Option<(String, String)>,
    pub(crate) tls: Tls,
    /// All of it, for the key of a source.
    pub(crate) key: String,
}

const MODES: [&str; 6] = ["apiKey", "basic", "tls", "bearer", "custom", "oauth"];

impl Credentials {
    /// What the trigger's metadata and its TriggerAuthentication say.
    pub(crate) fn read(metadata: &mut Metadata<'_>) -> Self {
        let mut this = Self::default();
        this.tls.accepts_any = metadata.flag("unsafeSsl", false);
        this.tls.ca = metadata.trusted("ca");
        let written = either(metadata, "authModes").or_else(|| either(metadata, "authMode")).unwrap_or_default();
        let modes: Vec<_> = written.split(',').map(str::trim).filter(|mode| !mode.is_empty()).collect();
        let exclusive = modes.iter().filter(|mode| matches!(**mode, "bearer" | "basic" | "oauth")).count();
        if exclusive > 1 {
            metadata.problem("only one of the auth modes bearer, basic and oauth can be used");
        }
        for mode in &modes {
            this.add(mode, metadata);
        }
        this.key = this.described();
        this
    }

    fn add(&mut self, mode: &str, metadata: &mut Metadata<'_>) {
        match mode {
            "apiKey" => {
                let Some(key) = either_required(metadata, "apiKey", mode) else { return };
                let method = either(metadata, "method").unwrap_or_else(|| "header".to_owned());
                let name = either(metadata, "keyParamName");
                match method.as_str() {
                    "header" => self.header(metadata, &name.unwrap_or_else(|| "X-API-KEY".to_owned()), &key),
                    "query" => self.query = Some((name.unwrap_or_else(|| "api_key".to_owned()), key)),
                    _ => metadata.problem(format!("method={method:?} must be header or query")),
                }
            }
            "basic" => {
                let Some(user) = required(metadata, "username", mode) else { return };
                let password = metadata.parameter("password").unwrap_or_default();
                let pair = STANDARD.encode(format!("{user}:{password}"));
                self.header(metadata, "Authorization", &format!("Basic {pair}"));
            }
            "bearer" => {
                let token = metadata.parameter("bearerToken").or_else(|| metadata.parameter("token"));
                match token.map(str::to_owned) {
                    Some(token) => self.header(metadata, "Authorization", &format!("Bearer {token}")),
                    None => metadata.problem("authMode bearer needs the authentication parameter token or bearerToken"),
                }
            }
            "custom" => {
                let name = required(metadata, "customAuthHeader", mode);
                let value = required(metadata, "customAuthValue", mode);
                if let (Some(name), Some(value)) = (name, value) {
                    self.header(metadata, &name, &value);
                }
            }
            "tls" => {
                let (cert, key) = (required(metadata, "cert", mode), required(metadata, "key", mode));
                self.tls.identity = cert.zip(key);
            }
            "oauth" => metadata.problem("authMode oauth is not served; use apiKey, basic, bearer, custom or tls"),
            _ => metadata.problem(format!("authMode {mode:?} is unknown; use one of {}", MODES.join(", "))),
        }
    }

    fn header(&mut self, metadata: &mut Metadata<'_>, name: &str, value: &str) {
        if let Err(problem) = http::add_header(&mut self.headers, name, value, true) {
            metadata.problem(problem);
        }
    }

    /// The headers and the address of a request.
    pub(crate) fn applied(&self, mut url: Url) -> (Url, HeaderMap) {
        if let Some((name, value)) = &self.query {
            let others: Vec<_> = url.query_pairs().into_owned().filter(|(key, _)| key != name).collect();
            url.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value);
        }
        (url, self.headers.clone())
    }

    fn described(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}={:?}", value.as_bytes()));
        let query = format!("{:?}", self.query);
        headers.chain([query]).chain(self.tls.parts()).collect::<Vec<_>>().join("\n")
    }
}

/// A value of the metadata, else of the authentication.
fn either(metadata: &Metadata<'_>, key: &str) -> Option<String> {
    metadata.text(key).or_else(|| metadata.parameter(key)).map(str::to_owned)
}

fn either_required(metadata: &mut Metadata<'_>, key: &str, mode: &str) -> Option<String> {
    let found = either(metadata, key);
    if found.is_none() {
        metadata.problem(format!("authMode {mode} needs the authentication parameter {key}"));
    }
    found
}

fn required(metadata: &mut Metadata<'_>, key: &str, mode: &str) -> Option<String> {
    let found = metadata.parameter(key).map(str::to_owned);
    if found.is_none() {
        metadata.problem(format!("authMode {mode} needs the authentication parameter {key}"));
    }
    found
}
