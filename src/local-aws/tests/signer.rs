//! A signer of its own for the tests, so that a mistake in the product's canonical request cannot hide.

use bytes::Bytes;
use hmac::{Hmac, Mac as _};
use http_body_util::Full;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::{Answer, REGION};

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Credentials to sign with.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

impl Key {
    /// The credentials in an answer of STS.
    pub(super) fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let (id, secret) = (answer.tag("AccessKeyId"), answer.tag("SecretAccessKey"));
        Self { id, secret, token: Some(answer.tag("SessionToken")) }
    }
}

/// What is sent and how it is signed.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    pub(super) method: &'a str,
    /// Percent-encoded, with the query string if there is one.
    pub(super) path: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a str,
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    /// Seconds that the signer's clock is ahead.
    pub(super) ahead: i64,
    /// A presigned URL of that many seconds instead of a header.
    pub(super) presigned: Option<u32>,
}

impl<'a> Shape<'a> {
    pub(super) fn post(service: &'a str, path: &'a str) -> Self {
        Self { method: "POST", path, headers: &[], body: "", service, region: REGION, ahead: 0, presigned: None }
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The request for `address`; unsigned without a key.
pub(super) fn request(
    address: &str,
    now: Timestamp,
    shape: Shape<'_>,
    key: Option<&Key>,
) -> http::Request<Full<Bytes>> {
    let mut builder = http::Request::builder().method(shape.method);
    let mut headers: Vec<(String, String)> = vec![("host".into(), address.into())];
    headers.extend(shape.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let mut path = shape.path.to_owned();
    if let Some(key) = key {
        let stamp = (now + jiff::SignedDuration::from_secs(shape.ahead)).strftime("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/{}/{}/aws4_request", &stamp[..8], shape.region, shape.service);
        if let Some(seconds) = shape.presigned {
            let credential = encoded(&format!("{}/{scope}", key.id));
            let sign = if path.contains('?') { '&' } else { '?' };
            path = format!(
                "{path}{sign}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={stamp}\
                 &X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host"
            );
            let signature = signature(&shape, &path, &headers[..1], &stamp, &scope, &key.secret);
            path.extend(["&X-Amz-Signature=", signature.as_str()]);
        } else {
            headers.push(("x-amz-date".into(), stamp.clone()));
            headers.extend(key.token.iter().map(|token| ("x-amz-security-token".to_owned(), token.clone())));
            headers.sort();
            let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
            let signature = signature(&shape, &path, &headers, &stamp, &scope, &key.secret);
            let text = format!(
                "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
                key.id,
                names.join(";")
            );
            builder = builder.header("authorization", text);
        }
    }
    for (name, value) in &headers {
        builder = builder.header(name, value);
    }
    let body = Full::new(Bytes::copy_from_slice(shape.body.as_bytes()));
    builder.uri(format!("http://{address}{path}")).body(body).unwrap()
}

fn signature(
    shape: &Shape<'_>,
    path: &str,
    headers: &[(String, String)],
    stamp: &str,
    scope: &str,
    secret: &str,
) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let path: Vec<_> = path.split('/').map(encoded).collect();
    let mut query: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!(
        "{}\n{}\n{}\n{}\n{}\n{}",
        shape.method,
        path.join("/"),
        query.join("&"),
        lines.concat(),
        names.join(";"),
        hex::encode(Sha256::digest(shape.body.as_bytes()))
    );
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex::encode(Sha256::digest(canonical.as_bytes())));
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part));
    hex::encode(hmac(&key, &text))
}
