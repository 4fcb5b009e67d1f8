//! The canonical request: what the signature is over.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use crate::fault::Fault;
use crate::request::{Request, decode};

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

pub(super) fn request(request: &Request, signed_headers: &[String], presigned: bool) -> Result<String, Fault> {
    if !signed_headers.iter().any(|name| name == "host") {
        return Err(Fault::new(
            403,
            "SignatureDoesNotMatch",
            "'Host' must be a 'SignedHeader' in the AWS Authorization.",
        ));
    }
    let mut headers = String::new();
    for name in signed_headers {
        let values: Vec<_> = request
            .headers
            .get_all(name)
            .iter()
            .map(|value| collapse(&String::from_utf8_lossy(value.as_bytes())))
            .collect();
        headers.extend([name.to_lowercase().as_str(), ":", values.join(",").as_str(), "\n"]);
    }
    Ok(format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        request.method,
        uri(&request.path),
        query(&request.query, presigned),
        signed_headers.join(";"),
        payload_hash(request)?
    ))
}

/// Leading, trailing and repeated spaces do not count.
fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every service but S3 normalises the path and encodes it once more than it is on the wire.
fn uri(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let encoded: Vec<_> = kept.iter().map(|segment| utf8_percent_encode(segment, UNRESERVED).to_string()).collect();
    let slash = if path.ends_with('/') && !encoded.is_empty() { "/" } else { "" };
    format!("/{}{slash}", encoded.join("/"))
}

fn query(query: &str, presigned: bool) -> String {
    let encode = |text: &str| utf8_percent_encode(&decode(&text.replace('+', " ")), UNRESERVED).to_string();
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (encode(key), encode(value)))
        .filter(|(key, _)| !(presigned && key == "X-Amz-Signature"))
        .collect();
    pairs.sort();
    pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&")
}

fn payload_hash(request: &Request) -> Result<String, Fault> {
    let actual = hex::encode(Sha256::digest(&request.body));
    match request.header("x-amz-content-sha256") {
        None => Ok(actual),
        Some(UNSIGNED) => Ok(UNSIGNED.to_owned()),
        Some(claimed) if claimed.eq_ignore_ascii_case(&actual) => Ok(actual),
        Some(_) => Err(Fault::new(
            400,
            "SignatureDoesNotMatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )),
    }
}
