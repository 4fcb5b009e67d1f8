//! XML answers of the query services.

use serde_json::Value;

use crate::fault::Fault;
use crate::request::Service;

fn namespace(service: Service) -> &'static str {
    match service {
        Service::Sqs => "http://queue.amazonaws.com/doc/2012-11-05/",
        Service::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
        _ => "https://sts.amazonaws.com/doc/2011-06-15/",
    }
}

/// The answer of a call that worked; `null` leaves the result element out.
pub(crate) fn success(service: Service, action: &str, value: &Value, request_id: &str) -> String {
    let mut out = format!("<?xml version=\"1.0\"?><{action}Response xmlns=\"{}\">", namespace(service));
    // SQS lists repeat their element; IAM and STS wrap theirs in `member`.
    element(&mut out, &format!("{action}Result"), value, service == Service::Sqs);
    out.extend(["<ResponseMetadata><RequestId>", request_id, "</RequestId></ResponseMetadata></", action, "Response>"]);
    out
}

/// The answer of a call that failed.
pub(crate) fn failure(service: Service, fault: &Fault, side: &str, request_id: &str) -> String {
    // Only SQS has the element, and leaves it empty.
    let detail = if service == Service::Sqs { "<Detail/>" } else { "" };
    format!(
        "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"{}\"><Error><Type>{side}</Type><Code>{}</Code><Message>{}</Message>\
         {detail}</Error><RequestId>{request_id}</RequestId></ErrorResponse>",
        namespace(service),
        escape(&fault.code),
        escape(&fault.message),
    )
}

fn element(out: &mut String, name: &str, value: &Value, flat: bool) {
    match value {
        Value::Null => {}
        Value::Array(items) if flat => items.iter().for_each(|item| element(out, name, item, flat)),
        _ => {
            out.extend(["<", name, ">"]);
            match value {
                Value::Object(map) => map.iter().for_each(|(key, value)| element(out, key, value, flat)),
                Value::Array(items) => items.iter().for_each(|item| element(out, "member", item, flat)),
                Value::String(text) => out.push_str(&escape(text)),
                other => out.push_str(&other.to_string()),
            }
            out.extend(["</", name, ">"]);
        }
    }
}

pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // A parser would turn a bare carriage return into a line feed.
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
    out
}
