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
    let list = if service == Service::Sqs { List::Flat } else { List::Member };
    element(&mut out, &format!("{action}Result"), value, list);
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

/// EC2's answer: without a result element, lists of `item` (Smithy, "AWS EC2 query protocol").
pub(crate) fn ec2_success(action: &str, value: &Value, request_id: &str) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         <requestId>{request_id}</requestId>"
    );
    if let Value::Object(map) = value {
        map.iter().for_each(|(key, value)| element(&mut out, key, value, List::Item));
    }
    out.extend(["</", action, "Response>"]);
    out
}

/// EC2's refusal, in its own codes (EC2 API Reference, "Error codes").
pub(crate) fn ec2_failure(fault: &Fault, request_id: &str) -> String {
    let (code, before) = match fault.code.as_ref() {
        "AccessDenied" => ("UnauthorizedOperation", "You are not authorized to perform this operation. "),
        "InvalidClientTokenId" | "SignatureDoesNotMatch" => ("AuthFailure", ""),
        "ExpiredToken" => ("RequestExpired", ""),
        other => (other, ""),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>{}</Code><Message>{before}{}</Message></Error>\
         </Errors><RequestID>{request_id}</RequestID></Response>",
        escape(code),
        escape(&fault.message),
    )
}

/// How the items of a list are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    /// SQS repeats the list's own element.
    Flat,
    /// IAM and STS.
    Member,
    /// EC2.
    Item,
}

impl List {
    fn item(self, list: &str) -> &'static str {
        match self {
            // IAM's one map.
            _ if list == "SummaryMap" => "entry",
            Self::Flat | Self::Member => "member",
            Self::Item => "item",
        }
    }
}

fn element(out: &mut String, name: &str, value: &Value, list: List) {
    match value {
        Value::Null => {}
        Value::Array(items) if list == List::Flat => items.iter().for_each(|item| element(out, name, item, list)),
        _ => {
            out.extend(["<", name, ">"]);
            match value {
                Value::Object(map) => map.iter().for_each(|(key, value)| element(out, key, value, list)),
                Value::Array(items) => items.iter().for_each(|item| element(out, list.item(name), item, list)),
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
