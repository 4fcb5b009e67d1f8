//! An answer before it is written: status, headers, document.

use std::io::Write as _;

use axum::body::Body;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use sha2::Digest as _;

use super::accept::{Agreed, Form};

/// Documents from this size on are compressed for those who take it, bytes.
const GZIP_BYTES_MIN: usize = 1400;

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Page {
    code: u16,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
}

impl Page {
    /// A document in the form that was agreed on.
    pub(super) fn document(value: &Value, agreed: Agreed, pretty: bool) -> Self {
        let body = match agreed.form {
            Form::Yaml => serde_saphyr::to_string(value).unwrap_or_default(),
            Form::Json if pretty => format!("{value:#}\n"),
            Form::Json => format!("{value}\n"),
        };
        Self::new(200, agreed.form.media(), body.into_bytes())
    }

    pub(super) fn new(code: u16, media: &str, body: Vec<u8>) -> Self {
        Self { code, headers: Vec::new(), body }
            .with(header::CONTENT_TYPE, media)
            .with(header::CACHE_CONTROL, "no-cache, private")
    }

    /// Nothing to read.
    pub(super) fn empty(code: u16) -> Self {
        Self { code, headers: Vec::new(), body: Vec::new() }.with(header::CACHE_CONTROL, "no-cache, private")
    }

    pub(super) fn json(code: u16, value: &Value) -> Self {
        Self::new(code, "application/json", value.to_string().into_bytes())
    }

    pub(super) fn text(body: &str) -> Self {
        Self::new(200, "text/plain; charset=utf-8", body.as_bytes().to_vec())
    }

    /// A failure as Kubernetes writes it.
    pub(super) fn status(code: u16, reason: &str, message: &str) -> Self {
        Self::failure(code, reason, message, &json!({}))
    }

    pub(super) fn failure(code: u16, reason: &str, message: &str, details: &Value) -> Self {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "details": details, "code": code,
        });
        Self::json(code, &status)
    }

    /// The failure without the field that some of Kubernetes' failures do not have.
    pub(super) fn without_details(mut self) -> Self {
        if let Ok(Value::Object(mut status)) = serde_json::from_slice(&self.body) {
            status.remove("details");
            self.body = Value::Object(status).to_string().into_bytes();
        }
        self
    }

    /// With a header; one of the same name is replaced.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.retain(|(held, _)| *held != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    /// As a refusal is written.
    pub(super) fn no_sniff(self) -> Self {
        self.with(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
    }

    /// With its ETag, or `304` where the asker has this one already.
    pub(super) fn tagged(self, requested: &HeaderMap) -> Self {
        let tag = tag(&self.body);
        let quoted = format!("\"{tag}\"");
        let known = requested.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let page = self.with(header::ETAG, &quoted);
        if known.split(',').any(|one| one.trim().trim_start_matches("W/") == quoted || one.trim() == "*") {
            return page.emptied(304);
        }
        page
    }

    /// With another code and nothing to read.
    pub(super) fn emptied(mut self, code: u16) -> Self {
        self.code = code;
        self.body.clear();
        if code == 304 {
            self.headers.retain(|(name, _)| *name != header::CONTENT_TYPE && *name != header::LAST_MODIFIED);
        }
        self
    }

    /// Compressed if the asker takes that and it is worth it.
    pub(super) fn zipped(self, requested: &HeaderMap) -> Self {
        let takes = requested.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let takes = takes.split(',').any(|one| one.split(';').next().unwrap_or_default().trim() == "gzip");
        if !takes || self.body.len() < GZIP_BYTES_MIN {
            return self;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        match encoder.write_all(&self.body).and_then(|()| encoder.finish()) {
            Ok(body) => Self { body, ..self }.with(header::CONTENT_ENCODING, "gzip"),
            // Writing to memory cannot fail.
            Err(_) => self,
        }
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> u16 {
        self.code
    }
}

/// What stands for a document's content: the SHA-512 of its bytes, as in Kubernetes.
pub(super) fn tag(body: &[u8]) -> String {
    hex::encode_upper(sha2::Sha512::digest(body))
}

impl From<Page> for Response<Body> {
    fn from(page: Page) -> Self {
        let mut response = Self::new(Body::from(page.body));
        *response.status_mut() = StatusCode::from_u16(page.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in page.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
