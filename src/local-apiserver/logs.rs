//! `pods/log`: reads the node agent's files, in CRI format, and follows them.

use std::io::SeekFrom;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::cluster::Cluster;
use crate::request::resource_request::ResourceRequest;
use crate::request::{Body, Query, Reply};
use crate::status::{FieldError, Status};

/// Real time between looks at a followed file.
const LOOK_EVERY: Duration = Duration::from_millis(200);

struct Choice {
    since: Option<Timestamp>,
    tail: Option<usize>,
    limit: Option<usize>,
    timestamps: bool,
}

pub(crate) async fn serve(request: &ResourceRequest<'_>) -> Result<Reply, Status> {
    let query = &request.call.query;
    check_options(query, &request.target.name)?;
    let pod = request.stored()?;
    let container = container(&pod, query.get("container").unwrap_or_default())?;
    if pod["spec"]["nodeName"].is_null() {
        // Nobody can be asked yet, which is no mistake.
        return Ok(Reply::text(200, "").typed("text/plain"));
    }
    let statuses = pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .chain(pod["status"]["initContainerStatuses"].as_array());
    let status = statuses.flatten().find(|held| held["name"] == container.as_str()).cloned().unwrap_or_default();
    let restarts = status["restartCount"].as_u64().unwrap_or(0);
    let previous = query.is_true("previous");
    let namespace = &request.target.namespace;
    let name = &request.target.name;
    let number = if previous { restarts.checked_sub(1) } else { Some(restarts) };
    let missing =
        |what: &str| Status::bad_request(format!("{what} container \"{container}\" in pod \"{name}\" not found"));
    let number = number.ok_or_else(|| missing("previous terminated"))?;
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    let path = request.cluster.pods_dir.join(uid).join(&container).join(format!("{number}.log"));
    if !tokio::fs::try_exists(&path).await.unwrap_or(false) {
        if previous {
            return Err(missing("previous terminated"));
        }
        let reason = status["state"]["waiting"]["reason"].as_str().unwrap_or("ContainerCreating");
        let why = match reason {
            "ImagePullBackOff" | "ErrImagePull" => "trying and failing to pull image".to_owned(),
            other => format!("waiting to start: {other}"),
        };
        return Err(Status::bad_request(format!("container \"{container}\" in pod \"{name}\" is {why}")));
    }
    let choice = choice(query, request.cluster.clock.now())?;
    let follow = query.is_true("follow") && !previous;
    let body = if follow {
        let at = (namespace.clone(), name.clone(), uid.to_owned(), container.clone(), restarts);
        Body::Stream(followed(request.cluster.clone(), path, choice, at))
    } else {
        let text = tokio::fs::read(&path).await.map_err(Status::internal)?;
        Body::Bytes(Bytes::from(shown(&text, &choice)))
    };
    Ok(Reply { body, ..Reply::text(200, "") }.typed("text/plain"))
}

/// The container that is meant; refused in kubelet's and apiserver's words.
fn container(pod: &Value, wanted: &str) -> Result<String, Status> {
    let names = |field: &str| -> Vec<String> {
        pod["spec"][field]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|held| held["name"].as_str().map(str::to_owned))
            .collect()
    };
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let (main, init) = (names("containers"), names("initContainers"));
    if wanted.is_empty() {
        return match main.as_slice() {
            [only] => Ok(only.clone()),
            _ => Err(Status::bad_request(format!(
                "a container name must be specified for pod {pod_name}, choose one of: [{}]",
                main.join(" ")
            ))),
        };
    }
    if main.iter().chain(&init).any(|name| name == wanted) {
        return Ok(wanted.to_owned());
    }
    Err(Status::bad_request(format!("container {wanted} is not valid for pod {pod_name}")))
}

fn check_options(query: &Query, name: &str) -> Result<(), Status> {
    let mut errors = Vec::new();
    for (field, least, detail) in [
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
    ] {
        if let Some(number) = query.number(field).filter(|number| *number < least) {
            errors.push(FieldError::invalid(field, &number.into(), detail));
        }
    }
    if query.get("sinceSeconds").is_some() && query.get("sinceTime").is_some() {
        errors.push(FieldError::forbidden("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
    }
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid("", "PodLogOptions", name, &errors)) }
}

fn choice(query: &Query, now: Timestamp) -> Result<Choice, Status> {
    let since = match (query.number("sinceSeconds"), query.get("sinceTime")) {
        (Some(seconds), _) => now.checked_sub(SignedDuration::from_secs(seconds)).ok(),
        (None, Some(text)) => {
            Some(text.parse().map_err(|_| Status::bad_request(format!("sinceTime: \"{text}\" is no RFC 3339 time")))?)
        }
        (None, None) => None,
    };
    let count = |field: &str| query.number(field).and_then(|number| usize::try_from(number).ok());
    Ok(Choice { since, tail: count("tailLines"), limit: count("limitBytes"), timestamps: query.is_true("timestamps") })
}

/// One line of a file as it is shown; `None` if it is too old or no CRI line.
fn line(raw: &[u8], choice: &Choice) -> Option<Vec<u8>> {
    let mut parts = raw.splitn(4, |byte| *byte == b' ');
    let stamp = parts.next()?;
    let (_, tag, text) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
    if let Some(since) = choice.since {
        let at: Timestamp = std::str::from_utf8(stamp).ok()?.parse().ok()?;
        if at < since {
            return None;
        }
    }
    let mut out = Vec::with_capacity(raw.len());
    if choice.timestamps {
        out.extend_from_slice(stamp);
        out.push(b' ');
    }
    out.extend_from_slice(text);
    // A partial line goes on in the next entry.
    if tag != b"P" {
        out.push(b'\n');
    }
    Some(out)
}

fn shown(file: &[u8], choice: &Choice) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = file.split(|byte| *byte == b'\n').filter_map(|raw| line(raw, choice)).collect();
    if let Some(tail) = choice.tail {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    let mut text = lines.concat();
    text.truncate(choice.limit.unwrap_or(usize::MAX));
    text
}

type Instance = (String, String, String, String, u64);

struct Follower {
    cluster: Arc<Cluster>,
    path: PathBuf,
    choice: Choice,
    instance: Instance,
    offset: u64,
    rest: Vec<u8>,
    ended: bool,
}

fn followed(
    cluster: Arc<Cluster>,
    path: PathBuf,
    choice: Choice,
    instance: Instance,
) -> stream::BoxStream<'static, Bytes> {
    let follower = Follower { cluster, path, choice, instance, offset: 0, rest: Vec::new(), ended: false };
    stream::unfold(follower, |mut follower| async move { follower.next().await.map(|bytes| (bytes, follower)) }).boxed()
}

impl Follower {
    /// The next lines; `None` when the container has ended and everything was read.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.choice.limit == Some(0) {
                return None;
            }
            let over = self.container_is_over();
            let fresh = self.read().await?;
            if !fresh.is_empty() {
                if let Some(limit) = &mut self.choice.limit {
                    *limit = limit.saturating_sub(fresh.len());
                }
                return Some(Bytes::from(fresh));
            }
            if self.ended {
                return None;
            }
            // One more read after the end: the last lines may have come between.
            self.ended = over;
            if !over {
                tokio::select! {
                    () = self.cluster.stop.cancelled() => return None,
                    () = self.cluster.clock.sleep(self.cluster.clock.to_system(LOOK_EVERY)) => {}
                }
            }
        }
    }

    fn container_is_over(&self) -> bool {
        let (namespace, name, uid, container, restarts) = &self.instance;
        let Some(pod) = self.cluster.get("pods", namespace, name) else { return true };
        let status = pod["status"]["containerStatuses"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|held| held["name"] == container.as_str());
        let terminated = status.is_some_and(|held| {
            !held["state"]["terminated"].is_null() || held["restartCount"].as_u64().unwrap_or(0) > *restarts
        });
        pod["metadata"]["uid"] != uid.as_str() || terminated
    }

    async fn read(&mut self) -> Option<Vec<u8>> {
        let Ok(mut file) = tokio::fs::File::open(&self.path).await else {
            self.ended = true;
            return Some(Vec::new());
        };
        file.seek(SeekFrom::Start(self.offset)).await.ok()?;
        let mut fresh = Vec::new();
        let count = file.read_to_end(&mut fresh).await.ok()?;
        self.offset += count as u64;
        self.rest.extend(fresh);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Some(Vec::new()) };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        let text = shown(&whole, &self.choice);
        self.choice.tail = None;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_chosen_and_shown_as_requested() {
        let file = b"2026-01-01T00:00:01Z stdout F one\n2026-01-01T00:00:02Z stderr F two\n2026-01-01T00:00:03Z stdout F three\n";
        let query = Query::parse("tailLines=2&timestamps=true&sinceTime=2026-01-01T00:00:02Z");
        let choice = choice(&query, Timestamp::UNIX_EPOCH).unwrap();
        let text = String::from_utf8(shown(file, &choice)).unwrap();
        assert_eq!(text, "2026-01-01T00:00:02Z two\n2026-01-01T00:00:03Z three\n");
    }
}
