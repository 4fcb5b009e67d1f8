//! A queue as the management API shows it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

use super::address::{self, Address, Protocol};
use super::mode::Counts;
use crate::error::{Error, Result};
use crate::http::{self, Http};
use crate::metadata::Metadata;
use crate::services::Services;

/// How several queues become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Sum,
    Average,
    Maximum,
}

pub(super) struct Management {
    http: Http,
    url: Url,
    headers: HeaderMap,
    queue: String,
    /// The queues are those that the name matches as an expression.
    operation: Option<Operation>,
    only_ready: bool,
    /// All that the counts depend on.
    pub(super) source: Vec<String>,
}

impl Management {
    pub(super) fn read(
        metadata: &mut Metadata<'_>,
        address: Address,
        queue: &str,
        services: &Arc<Services>,
    ) -> Option<Self> {
        if address.protocol == Protocol::Amqp {
            metadata
                .problem("protocol amqp is not served; name the management API in host, such as http://rabbitmq:15672");
            return None;
        }
        let page_size = metadata.parsed("pageSize", 100_i64);
        if page_size < 1 {
            metadata.problem("pageSize should be 1 or greater");
        }
        let operation = match metadata.text("operation").unwrap_or("sum") {
            "sum" => Operation::Sum,
            "avg" => Operation::Average,
            "max" => Operation::Maximum,
            other => {
                metadata.problem(format!("operation mode {other} must be one of sum, avg, max"));
                return None;
            }
        };
        let is_expression = metadata.flag("useRegex", false);
        let only_ready = metadata.flag("excludeUnacknowledged", false);
        let limit = metadata.limit();
        let http = metadata.client(services, &address.tls, limit)?;
        let base = format!("{}/api/queues/{}", address.url.path().trim_end_matches('/'), address.vhost);
        let mut url = address.url;
        if is_expression {
            url.set_path(&base);
            let size = page_size.to_string();
            let query =
                [("page", "1"), ("use_regex", "true"), ("pagination", "false"), ("name", queue), ("page_size", &size)];
            url.query_pairs_mut().clear().extend_pairs(query);
        } else {
            url.set_path(&format!("{base}/{}", address::path_escaped(queue)));
        }
        let mut headers = HeaderMap::new();
        if let Some((user, password)) = &address.user {
            let pair = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            if let Err(problem) = http::add_header(&mut headers, "authorization", &pair, true) {
                metadata.problem(problem);
            }
        }
        let operation = is_expression.then_some(operation);
        let mut source = vec![super::TYPE.to_owned(), url.to_string(), format!("{operation:?} {only_ready} {limit:?}")];
        source.extend(address.user.into_iter().flat_map(|(user, password)| [user, password]));
        source.extend(address.tls.parts());
        Some(Self { http, url, headers, queue: queue.to_owned(), operation, only_ready, source })
    }

    pub(super) async fn counts(&self) -> Result<Counts> {
        let what = format!("error inspecting RabbitMQ queue {:?} at {}", self.queue, http::shown(&self.url));
        let failed = |problem: String| Error::Answer { what: what.clone(), problem };
        let answer = self.http.get(&what, self.url.clone(), self.headers.clone()).await?;
        if answer.status != 200 {
            let step = match answer.status {
                401 | 403 => "; check username and password, and that the user has the tag management or monitoring",
                404 => "; check queueName and the virtual host",
                _ => "",
            };
            let text: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
            return Err(failed(format!(
                "error requesting RabbitMQ API status: {}, response: {text}{step}",
                answer.status
            )));
        }
        let body: Value =
            serde_json::from_slice(&answer.body).map_err(|error| failed(format!("the answer is no JSON: {error}")))?;
        let Some(operation) = self.operation else { return self.one(&body).map_err(failed) };
        if body["page_count"].as_u64().unwrap_or(1) > 1 {
            return Err(failed("regex matches more queues than can be recovered at once; raise pageSize".to_owned()));
        }
        let items = body["items"].as_array().ok_or_else(|| failed("the answer has no items".to_owned()))?;
        let all: Vec<_> = items.iter().map(|item| self.one(item)).collect::<Result<_, _>>().map_err(failed)?;
        Ok(composed(&all, operation))
    }

    fn one(&self, queue: &Value) -> Result<Counts, String> {
        let key = if self.only_ready { "messages_ready" } else { "messages" };
        let messages = queue[key].as_f64().ok_or_else(|| {
            format!("the server has no {key} of the queue; it counts the messages of a new queue after a few seconds")
        })?;
        // Without a message there are no statistics of any.
        let rate = |key: &str| queue["message_stats"][key]["rate"].as_f64().unwrap_or_default();
        Ok(Counts { messages, published: rate("publish_details"), delivered: rate("deliver_get_details") })
    }
}

/// Several queues as one; no queue is an empty one.
fn composed(all: &[Counts], operation: Operation) -> Counts {
    let fold = |part: fn(&Counts) -> f64| {
        let parts = all.iter().map(part);
        match operation {
            Operation::Maximum => parts.fold(0.0, f64::max),
            Operation::Sum => parts.sum(),
            Operation::Average => parts.sum::<f64>() / all.len().max(1) as f64,
        }
    };
    let messages = fold(|one| one.messages);
    // Messages are whole ones.
    Counts { messages: messages.trunc(), published: fold(|one| one.published), delivered: fold(|one| one.delivered) }
}
