//! Where the server is, and as whom it is read.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::metadata::{Metadata, Origin};
use crate::tls::Tls;

/// What Go's `url.QueryEscape` escapes.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// By what the server is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Amqp,
}

/// It is shown nowhere.
pub(super) struct Address {
    pub(super) protocol: Protocol,
    /// Without user, password and virtual host.
    pub(super) url: Url,
    /// With its escapes, as a path has it.
    pub(super) vhost: String,
    pub(super) user: Option<(String, String)>,
    pub(super) tls: Tls,
}

/// A text as Go's `url.QueryEscape` writes it.
pub(super) fn query_escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string().replace("%20", "+")
}

/// A text as one part of a path.
pub(super) fn path_escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

impl Address {
    /// `None`, with a noted problem, if the trigger names no server.
    pub(super) fn read(metadata: &mut Metadata<'_>) -> Option<Self> {
        let tls = encryption(metadata);
        let user = user(metadata);
        let host = metadata.first(&["host"], &[Origin::Metadata, Origin::Authentication, Origin::Environment]);
        let Some(host) = host else {
            metadata.problem(
                "no host given; set host or hostFromEnv in the trigger's metadata, or the authentication parameter host",
            );
            return None;
        };
        // It may hold a password, so it is not shown.
        let Some(mut url) = Url::parse(host).ok().filter(Url::has_host) else {
            metadata.problem("host is no address such as http://user:password@rabbitmq.shop:15672/vhost");
            return None;
        };
        let protocol = protocol(metadata, &url)?;
        let path = url.path().to_owned();
        let (base, last) = path.rsplit_once('/').unwrap_or(("", &path));
        let named = metadata.first(&["vhostName"], &[Origin::Metadata, Origin::Authentication]);
        let vhost = match (named.map(path_escaped), last) {
            (Some(named), _) => named,
            (None, "") => "%2F".to_owned(),
            (None, last) => last.to_owned(),
        };
        url.set_path(base);
        let in_url = (!url.username().is_empty()).then(|| {
            let text = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
            (text(url.username()), text(url.password().unwrap_or_default()))
        });
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        Some(Self { protocol, url, vhost, user: user.or(in_url), tls })
    }
}

fn protocol(metadata: &mut Metadata<'_>, url: &Url) -> Option<Protocol> {
    match metadata.first(&["protocol"], &[Origin::Metadata, Origin::Authentication]).unwrap_or("auto") {
        "http" => Some(Protocol::Http),
        "amqp" => Some(Protocol::Amqp),
        "auto" => match url.scheme() {
            "http" | "https" => Some(Protocol::Http),
            "amqp" | "amqps" => Some(Protocol::Amqp),
            scheme => {
                metadata.problem(format!("unknown host URL scheme: `{scheme}`; use http, https, amqp or amqps"));
                None
            }
        },
        other => {
            metadata.problem(format!("the protocol has to be either `amqp`, `http`, or `auto` but is `{other}`"));
            None
        }
    }
}

fn user(metadata: &mut Metadata<'_>) -> Option<(String, String)> {
    let origins = [Origin::Authentication, Origin::Environment];
    match (metadata.first(&["username"], &origins), metadata.first(&["password"], &origins)) {
        (Some(user), Some(password)) => Some((user.to_owned(), password.to_owned())),
        (None, None) => None,
        _ => {
            metadata.problem("username and password must be given together");
            None
        }
    }
}

/// The certificates, if `tls` is `enable`; `unsafeSsl` without it.
fn encryption(metadata: &mut Metadata<'_>) -> Tls {
    let tls = metadata.tls();
    match metadata.parameter("tls").unwrap_or("disable") {
        "enable" => return tls,
        "disable" => {}
        other => metadata.problem(format!("incorrect value for TLS given: {other}; write enable or disable")),
    }
    Tls { ca: metadata.authorities(), accepts_any: tls.accepts_any, ..Tls::default() }
}
