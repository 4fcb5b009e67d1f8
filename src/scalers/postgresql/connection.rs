//! Where a database is, as whom it is read, and how it is connected to.

use std::fmt::Write as _;

use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};
use url::Url;

use super::encryption::Encryption;
use crate::link::Failure;
use crate::metadata::{Metadata, Origin};
use crate::tls::{self, Verification};

/// `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// No TLS.
    Disable,
    /// With TLS if the server has it.
    Prefer,
    Require(Verification),
}

const MODES: [(&str, Mode); 6] = [
    ("disable", Mode::Disable),
    ("allow", Mode::Prefer),
    ("prefer", Mode::Prefer),
    ("require", Mode::Require(Verification::None)),
    ("verify-ca", Mode::Require(Verification::Chain)),
    ("verify-full", Mode::Require(Verification::Full)),
];

/// It is shown nowhere.
#[derive(Clone)]
pub(super) struct Settings {
    config: Config,
    mode: Mode,
    /// As it is written, for the key of the connection.
    written: String,
}

impl Settings {
    /// `connection`, or the parts of one; `None`, with a noted problem, if they name no server.
    pub(super) fn read(metadata: &mut Metadata<'_>) -> Option<Self> {
        let pairs = match metadata.first(&["connection"], &[Origin::Authentication, Origin::Environment]) {
            Some(connection) => pairs_of(connection).or_else(|| {
                // It may hold a password, so it is not shown.
                metadata.problem("connection is neither a URL such as postgresql://user@host/db nor key=value pairs");
                None
            })?,
            None => parts(metadata)?,
        };
        let mode = pairs.iter().rev().find(|(key, _)| key == "sslmode").map_or("prefer", |(_, mode)| mode.as_str());
        let Some((_, mode)) = MODES.iter().find(|(name, _)| *name == mode) else {
            let names = MODES.map(|(name, _)| name).join(", ");
            metadata.problem(format!("sslmode={mode:?} must be one of {names}"));
            return None;
        };
        if let Some((key, _)) =
            pairs.iter().find(|(key, _)| matches!(key.as_str(), "sslrootcert" | "sslcert" | "sslkey"))
        {
            metadata.problem(format!("{key} names a file of the operator and is not served; remove it"));
            return None;
        }
        let mut written = String::new();
        for (key, value) in pairs.iter().filter(|(key, value)| key != "sslmode" && !value.is_empty()) {
            let value = value.replace('\\', "\\\\").replace('\'', "\\'");
            let _ = write!(written, "{key}='{value}' ");
        }
        let Ok(mut config) = written.parse::<Config>() else {
            let keys: Vec<_> = pairs.iter().map(|(key, _)| key.as_str()).collect();
            metadata.problem(format!("the connection cannot be read; its keys are {}", keys.join(", ")));
            return None;
        };
        if config.get_hosts().is_empty() {
            metadata.problem("no host given; set it in the connection");
            return None;
        }
        config.ssl_mode(match mode {
            Mode::Disable => tokio_postgres::config::SslMode::Disable,
            Mode::Prefer => tokio_postgres::config::SslMode::Prefer,
            Mode::Require(_) => tokio_postgres::config::SslMode::Require,
        });
        if config.get_application_name().is_none() {
            config.application_name("sluice");
        }
        Some(Self { config, mode: *mode, written })
    }

    /// All that a connection depends on.
    pub(super) fn parts(&self) -> Vec<String> {
        vec![self.written.clone(), format!("{:?}", self.mode)]
    }

    /// The address and the database, for messages.
    pub(super) fn shown(&self) -> String {
        let hosts = self.config.get_hosts().iter().enumerate().map(|(index, host)| {
            let ports = self.config.get_ports();
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(path) => path.display().to_string(),
            }
        });
        format!("{}/{}", hosts.collect::<Vec<_>>().join(","), self.config.get_dbname().unwrap_or_default())
    }

    pub(super) async fn connect(&self) -> Result<Client, Failure> {
        let failed = |error: &tokio_postgres::Error| failure("error establishing postgreSQL connection", error, true);
        let verification = match self.mode {
            Mode::Disable => {
                let (client, connection) = self.config.connect(NoTls).await.map_err(|error| failed(&error))?;
                // It ends with the client, or when the server is lost; then the client says so.
                tokio::spawn(async move { connection.await.ok() });
                return Ok(client);
            }
            Mode::Prefer => Verification::None,
            Mode::Require(verification) => verification,
        };
        let config = tls::config(verification).map_err(|problem| Failure { problem, is_lost: true })?;
        let connector = Encryption::new(config);
        let (client, connection) = self.config.connect(connector).await.map_err(|error| failed(&error))?;
        tokio::spawn(async move { connection.await.ok() });
        Ok(client)
    }
}

/// An error with its causes and what to do about it. Texts of the server have no password in them.
pub(super) fn failure(what: &str, error: &tokio_postgres::Error, is_lost: bool) -> Failure {
    let mut text = format!("{what}: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    let step = match error.code().map(tokio_postgres::error::SqlState::code) {
        Some(code) if code.starts_with("28") => "; check userName and password",
        Some("3D000") => "; check dbName",
        Some("42P01") => "; check the query and the search path of the user",
        Some("42501") => "; grant the user what the query reads",
        Some(_) => "",
        None => "; check that the server can be reached from the operator, and sslmode",
    };
    Failure { problem: format!("{text}{step}"), is_lost: is_lost || error.is_closed() }
}

/// `host`, `port`, `userName`, `dbName` and `sslmode`, each of which must be given, and `password`.
fn parts(metadata: &mut Metadata<'_>) -> Option<Vec<(String, String)>> {
    let origins = [Origin::Authentication, Origin::Metadata];
    let mut found = Vec::new();
    let mut is_whole = true;
    for (key, name) in
        [("host", "host"), ("port", "port"), ("userName", "user"), ("dbName", "dbname"), ("sslmode", "sslmode")]
    {
        let Some(value) = metadata.first(&[key], &origins) else {
            metadata.problem(format!("no {key} given; set it in the trigger's metadata, or set connection"));
            is_whole = false;
            continue;
        };
        found.push((name.to_owned(), value.to_owned()));
    }
    let password = metadata.first(&["password"], &[Origin::Authentication, Origin::Environment]);
    found.extend(password.map(|password| ("password".to_owned(), password.to_owned())));
    is_whole.then_some(found)
}

/// The settings of a connection string: a URL, or keys and values as libpq has them.
fn pairs_of(connection: &str) -> Option<Vec<(String, String)>> {
    if connection.starts_with("postgres://") || connection.starts_with("postgresql://") {
        return pairs_of_url(connection);
    }
    let mut pairs = Vec::new();
    let mut rest = connection.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = value(after.trim_start())?;
        pairs.push((key.trim().to_owned(), value));
        rest = after.trim_start();
    }
    Some(pairs)
}

/// A value, in quotes if it has spaces, and what comes after it.
fn value(text: &str) -> Option<(String, &str)> {
    let is_quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(is_quoted));
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => value.push(characters.next()?.1),
            '\'' if is_quoted => return Some((value, &text[at + 1..])),
            c if !is_quoted && c.is_whitespace() => return Some((value, &text[at..])),
            c => value.push(c),
        }
    }
    (!is_quoted).then_some((value, ""))
}

fn pairs_of_url(connection: &str) -> Option<Vec<(String, String)>> {
    let url = Url::parse(connection).ok()?;
    let text = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let mut pairs = vec![
        ("host".to_owned(), text(host)),
        ("port".to_owned(), url.port().map(|port| port.to_string()).unwrap_or_default()),
        ("user".to_owned(), text(url.username())),
        ("password".to_owned(), text(url.password().unwrap_or_default())),
        ("dbname".to_owned(), text(url.path().trim_start_matches('/'))),
    ];
    pairs.extend(url.query_pairs().into_owned());
    Some(pairs)
}
