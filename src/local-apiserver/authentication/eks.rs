//! EKS bearer tokens: a presigned STS GetCallerIdentity URL, asked from STS, mapped through the access entries.
//!
//! Rules: `docs/rules.md#eks-sign-in-tokens`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::{SignedDuration, Timestamp};
use local_eks::AccessEntry;
use serde_json::Value;
use sha2::Digest;

use crate::cluster::Cluster;
use crate::user::User;

/// A token is accepted for this long after it was signed.
const ACCEPTED_FOR: SignedDuration = SignedDuration::from_mins(15);
/// A longer token is refused, bytes.
const TOKEN_BYTES_MAX: usize = 4096;
/// `X-Amz-Expires` above this is refused, seconds.
const EXPIRES_MAX: i64 = 900;
/// An answer of STS is believed for this long.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_secs(60);
/// Real time that STS gets for its answer.
const STS_LIMIT: Duration = Duration::from_secs(10);
/// Parameters that such a URL may carry.
const PARAMETERS: &[&str] = &[
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
    "x-amz-user-agent",
];

/// The user behind a token, if it and the access entries hold.
pub(crate) async fn authenticate(cluster: &Arc<Cluster>, token: &str, encoded: &str) -> Option<User> {
    let now = cluster.clock.now();
    let (url, until) = match evaluation(token, encoded, &cluster.sts_endpoint, now) {
        Ok(evaluation) => evaluation,
        Err(why) => {
            tracing::info!(%why, "refused an EKS token");
            return None;
        }
    };
    let digest: [u8; 32] = sha2::Sha256::digest(token.as_bytes()).into();
    let arn = if let Some(arn) = cluster.eks_cache.get(&digest, now) {
        arn
    } else {
        let arn = ask_sts(cluster, &url).await?;
        let believed = now.checked_add(BELIEVED_FOR).unwrap_or(now).min(until);
        cluster.eks_cache.put(digest, arn.clone(), believed);
        arn
    };
    let principal = principal_of(&arn);
    let access = cluster.access();
    let Some(entry) = access.iter().find(|entry| entry.principal_arn == principal) else {
        tracing::info!(%principal, "refused an EKS token: no access entry for this principal");
        return None;
    };
    if cluster.infancy.forgets_access() {
        tracing::info!(%principal, "refused an EKS token: the access entry has not reached this API server yet");
        return None;
    }
    Some(user_of(entry, &arn, &principal))
}

/// Judges everything that can be seen in a token: the URL in it and until when it is accepted, or why it is refused.
fn evaluation(token: &str, encoded: &str, sts_endpoint: &str, now: Timestamp) -> Result<(url::Url, Timestamp), String> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err("it is too large".to_owned());
    }
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(&bytes).map_err(|error| error.to_string())?;
    let url = url::Url::parse(text).map_err(|error| error.to_string())?;
    let sts = url::Url::parse(sts_endpoint).map_err(|error| error.to_string())?;
    let is_ours = url.scheme() == sts.scheme()
        && url.host() == sts.host()
        && url.port_or_known_default() == sts.port_or_known_default();
    if !is_ours || url.path() != "/" || !url.username().is_empty() {
        return Err("its URL does not point at this cloud's STS".to_owned());
    }
    let mut parameters = HashMap::new();
    for (key, value) in url.query_pairs() {
        let key = key.to_lowercase();
        if !PARAMETERS.contains(&key.as_str()) {
            return Err(format!("its URL carries the parameter {key}"));
        }
        if parameters.insert(key.clone(), value.into_owned()).is_some() {
            return Err(format!("its URL carries the parameter {key} more than once"));
        }
    }
    let value = |name: &str| parameters.get(name).map_or("", String::as_str);
    if value("action") != "GetCallerIdentity" {
        return Err(format!("its URL asks for the action {:?}", value("action")));
    }
    if !value("x-amz-signedheaders").split(';').any(|header| header.eq_ignore_ascii_case("x-k8s-aws-id")) {
        return Err("its signature does not cover the header x-k8s-aws-id".to_owned());
    }
    // Only its form counts: the fifteen minutes are those of X-Amz-Date.
    if !value("x-amz-expires").parse().is_ok_and(|seconds| (0..=EXPIRES_MAX).contains(&seconds)) {
        return Err(format!("its X-Amz-Expires is {:?}", value("x-amz-expires")));
    }
    let date = value("x-amz-date");
    let signed_at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date)
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC))
        .map_err(|_| format!("its X-Amz-Date is {date:?}"))?;
    let until = signed_at.timestamp().checked_add(ACCEPTED_FOR).map_err(|error| error.to_string())?;
    if now > until {
        return Err(format!("it was signed at {date}, more than 15 minutes ago"));
    }
    Ok((url, until))
}

async fn ask_sts(cluster: &Cluster, url: &url::Url) -> Option<String> {
    let request = http::Request::get(url.as_str())
        .header("x-k8s-aws-id", &cluster.name)
        .header("accept", "application/json")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let limit = cluster.clock.to_system(STS_LIMIT);
    let response = cluster.clock.timeout(limit, client.request(request)).await.ok()?.ok()?;
    if response.status() != http::StatusCode::OK {
        tracing::info!(status = %response.status(), "refused an EKS token: STS does not confirm the caller");
        return None;
    }
    let body = Limited::new(response.into_body(), 64 * 1024).collect().await.ok()?.to_bytes();
    arn_in(std::str::from_utf8(&body).ok()?)
}

/// The caller's ARN in an answer of GetCallerIdentity, JSON or XML.
fn arn_in(text: &str) -> Option<String> {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let result = &value["GetCallerIdentityResponse"]["GetCallerIdentityResult"];
        return result["Arn"].as_str().or_else(|| value["Arn"].as_str()).map(str::to_owned);
    }
    let (_, rest) = text.split_once("<Arn>")?;
    rest.split_once("</Arn>").map(|(arn, _)| arn.to_owned())
}

/// The IAM principal of a caller: sessions count as their role (without its path, which sessions do not show).
fn principal_of(arn: &str) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let (Some(account), Some(resource)) = (parts.get(4), parts.get(5)) else { return arn.to_owned() };
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["assumed-role", role, ..] => format!("arn:{}:iam::{account}:role/{role}", parts[1]),
        _ => arn.to_owned(),
    }
}

fn user_of(entry: &AccessEntry, arn: &str, principal: &str) -> User {
    let session = arn.rsplit('/').next().unwrap_or_default();
    let name = entry.username.clone().map_or_else(
        || arn.to_owned(),
        |name| name.replace("{{SessionName}}", &session.replace('@', "-")).replace("{{SessionNameRaw}}", session),
    );
    let account = arn.split(':').nth(4).unwrap_or_default();
    let mut user = User {
        name,
        groups: entry.groups.clone(),
        uid: format!("aws-iam-authenticator:{account}:{principal}"),
        ..User::default()
    };
    user.groups.push("system:authenticated".to_owned());
    user.extra.insert("principalArn".to_owned(), vec![principal.to_owned()]);
    user.extra.insert("arn".to_owned(), vec![arn.to_owned()]);
    user.extra.insert("sessionName".to_owned(), vec![session.to_owned()]);
    user
}

#[cfg(test)]
mod tests {
    use super::*;

    const STS: &str = "http://127.0.0.1:9";
    const QUERY: &str = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=K%2F20260101%2Feu-west-1%2Fsts%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60\
        &X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=0";

    /// The verdict on a token for `url`, so many seconds after its X-Amz-Date.
    fn verdict(url: &str, seconds: i64) -> Result<Timestamp, String> {
        let encoded = URL_SAFE_NO_PAD.encode(url);
        let now = "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds);
        evaluation(&format!("k8s-aws-v1.{encoded}"), &encoded, STS, now).map(|(_, until)| until)
    }

    #[test]
    fn a_token_is_good_for_fifteen_minutes_from_its_date_whatever_its_expiry_says() {
        let until = "2026-01-01T00:15:00Z".parse::<Timestamp>().unwrap();
        for expires in [0, 1, 60, 900] {
            let url = format!("{STS}/?{}", QUERY.replace("Expires=60", &format!("Expires={expires}")));
            for seconds in [0, 61, 600, 900] {
                assert_eq!(verdict(&url, seconds), Ok(until), "expires {expires}, after {seconds} s");
            }
            let late = "it was signed at 20260101T000000Z, more than 15 minutes ago";
            assert_eq!(verdict(&url, 901), Err(late.to_owned()));
        }
    }

    #[test]
    fn what_is_wrong_with_a_token_is_said() {
        let changed = |from: &str, to: &str| format!("{STS}/?{}", QUERY.replace(from, to));
        let long = changed("Signature=0", &format!("Signature={}", "0".repeat(TOKEN_BYTES_MAX)));
        for (url, why) in [
            (format!("http://127.0.0.1:8/?{QUERY}"), "its URL does not point at this cloud's STS"),
            (format!("https://127.0.0.1:9/?{QUERY}"), "its URL does not point at this cloud's STS"),
            (format!("{STS}/x?{QUERY}"), "its URL does not point at this cloud's STS"),
            (format!("http://me@127.0.0.1:9/?{QUERY}"), "its URL does not point at this cloud's STS"),
            (changed("GetCallerIdentity", "AssumeRole"), "its URL asks for the action \"AssumeRole\""),
            (changed("Action=GetCallerIdentity&", ""), "its URL asks for the action \"\""),
            (changed("Version", "RoleArn"), "its URL carries the parameter rolearn"),
            (changed("Version", "action"), "its URL carries the parameter action more than once"),
            (changed("%3Bx-k8s-aws-id", ""), "its signature does not cover the header x-k8s-aws-id"),
            (changed("Expires=60", "Expires=901"), "its X-Amz-Expires is \"901\""),
            (changed("Expires=60", "Expires=-1"), "its X-Amz-Expires is \"-1\""),
            (changed("&X-Amz-Expires=60", ""), "its X-Amz-Expires is \"\""),
            (changed("Date=20260101T000000Z", "Date=2026-01-01"), "its X-Amz-Date is \"2026-01-01\""),
            (long, "it is too large"),
        ] {
            assert_eq!(verdict(&url, 0), Err(why.to_owned()), "{url}");
        }
        let padded = base64::engine::general_purpose::URL_SAFE.encode(format!("{STS}/?{QUERY} "));
        assert!(padded.ends_with('=') && evaluation(&padded, &padded, STS, Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn sessions_count_as_their_role() {
        assert_eq!(principal_of("arn:aws:sts::111122223333:assumed-role/R/S"), "arn:aws:iam::111122223333:role/R");
        assert_eq!(principal_of("arn:aws:iam::111122223333:user/u"), "arn:aws:iam::111122223333:user/u");
    }

    #[test]
    fn the_arn_is_found_in_both_forms_of_the_answer() {
        assert_eq!(arn_in("<R><Arn>a:b</Arn></R>").unwrap(), "a:b");
        let json = r#"{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Arn":"a:b"}}}"#;
        assert_eq!(arn_in(json).unwrap(), "a:b");
    }
}
