//! Reading a trigger's metadata as KEDA's declarative parser does (2.17): values are trimmed, empty means absent, and
//! every problem of a trigger is collected before it is refused.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use keda::api::ScaleTriggers;
use keda::metric::Target;
use url::Url;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::http::{self, Http};
use crate::services::Services;
use crate::tls::{self, Tls};

pub(crate) struct Metadata<'a> {
    trigger: &'static str,
    metric_type: Option<&'a str>,
    given: &'a BTreeMap<String, String>,
    context: &'a Context,
    problems: Vec<String>,
    /// Parameters that were looked for, and that the TriggerAuthentication did not give.
    absent: RefCell<Vec<String>>,
}

/// Where a value may stand. In which order KEDA looks differs by key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin {
    Metadata,
    /// The variable that `<key>FromEnv` names.
    Environment,
    Authentication,
}

impl<'a> Metadata<'a> {
    pub(crate) fn new(trigger_type: &'static str, trigger: &'a ScaleTriggers, context: &'a Context) -> Self {
        Self {
            trigger: trigger_type,
            metric_type: trigger.metric_type.as_deref(),
            given: &trigger.metadata,
            context,
            problems: Vec::new(),
            absent: RefCell::default(),
        }
    }

    /// The metadata value itself.
    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        present(self.given.get(key))
    }

    /// The value of the variable of the target's container that `<key>FromEnv` names.
    pub(crate) fn by_env(&self, key: &str) -> Option<&'a str> {
        present(self.context.environment.get(self.text(&format!("{key}FromEnv"))?))
    }

    /// The parameter that the TriggerAuthentication gave.
    pub(crate) fn parameter(&self, key: &str) -> Option<&'a str> {
        let found = present(self.context.authentication.get(key));
        if found.is_none() {
            self.absent.borrow_mut().push(key.to_owned());
        }
        found
    }

    /// The first value of these keys, which mean the same, in the order of the origins.
    pub(crate) fn first(&self, keys: &[&str], origins: &[Origin]) -> Option<&'a str> {
        origins.iter().find_map(|origin| {
            keys.iter().find_map(|key| match origin {
                Origin::Metadata => self.text(key),
                Origin::Environment => self.by_env(key),
                Origin::Authentication => self.parameter(key),
            })
        })
    }

    /// A whole number above 0; `default` if absent.
    pub(crate) fn count(&mut self, key: &str, default: i64) -> i64 {
        let count = self.parsed(key, default);
        if count <= 0 {
            self.problem(format!("{key}={count} must be greater than 0"));
        }
        count
    }

    /// The metadata value itself; empty, with a noted problem, if it is absent. `what` says what it should be.
    pub(crate) fn required(&mut self, key: &str, what: &str) -> &'a str {
        self.text(key).unwrap_or_else(|| {
            self.problem(format!("no {key} given; set it in the trigger's metadata: {what}"));
            ""
        })
    }

    /// The number that one replica stands for, greater than 0: required, unless the trigger's value only counts in a formula.
    pub(crate) fn target_number(&mut self, key: &str, what: &str) -> f64 {
        if self.context.is_metric_source && self.text(key).is_none() {
            return 0.0;
        }
        let given = self.required(key, what);
        let number = given.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
        if !given.is_empty() && number.is_none() {
            self.problem(format!("{key}={given:?} must be a number greater than 0"));
        }
        number.unwrap_or(1.0)
    }

    /// A number; `default` if absent.
    pub(crate) fn number(&mut self, key: &str, default: f64) -> f64 {
        let number = self.parsed(key, default);
        if !f64::is_finite(number) {
            self.problem(format!("{key}={number} must be a number"));
        }
        number
    }

    /// An HTTP address; a noted problem if it is absent. One that is none is an error of each reading, as with KEDA.
    pub(crate) fn address(&mut self, key: &str, what: &str) -> Result<Url> {
        let url = Url::parse(self.required(key, what)).ok();
        // It may hold a password, so it is not shown.
        url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).ok_or_else(|| Error::Answer {
            what: self.trigger.to_owned(),
            problem: format!("{key} is no address that begins with http:// or https://"),
        })
    }

    /// Names and values, written `a=b,c=d`. What is written otherwise is a noted problem.
    pub(crate) fn pairs(&mut self, key: &str) -> Vec<(String, String)> {
        let given = self.text(key).unwrap_or_default();
        let each = given.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pairs: Option<Vec<_>> = each
            .map(|pair| {
                let (name, value) = pair.split_once('=')?;
                let is_pair = !name.trim().is_empty() && !value.contains('=');
                is_pair.then(|| (name.trim().to_owned(), value.trim().to_owned()))
            })
            .collect();
        pairs.unwrap_or_else(|| {
            self.problem(format!("{key} is no list such as name=value,other=value"));
            Vec::new()
        })
    }

    /// `timeout`: the longest wait for an answer over HTTP, as Go writes durations or in milliseconds.
    pub(crate) fn limit(&mut self) -> Duration {
        let Some(text) = self.text("timeout") else { return http::READ_LIMIT };
        let milliseconds = text.parse::<u64>().ok().map(Duration::from_millis);
        let limit = milliseconds.or_else(|| text.parse::<SignedDuration>().ok()?.try_into().ok());
        limit.filter(|limit| !limit.is_zero()).unwrap_or_else(|| {
            self.problem(format!(
                "timeout={text:?} must be a duration above 0, such as 5s, or a number of milliseconds"
            ));
            http::READ_LIMIT
        })
    }

    /// The client for these settings; `None`, with a noted problem, if they make none.
    pub(crate) fn client(&mut self, services: &Arc<Services>, tls: &Tls, limit: Duration) -> Option<Http> {
        Http::new(services, tls, limit).map_err(|problem| self.problem(problem)).ok()
    }

    /// `ca`, `cert`, `key` and `keyPassword` of the TriggerAuthentication, and `unsafeSsl` of the metadata.
    pub(crate) fn tls(&mut self) -> Tls {
        let text = |key: &str| self.parameter(key).map(str::to_owned);
        let (mut tls, problem) = Tls::new(text("ca"), (text("cert"), text("key")), self.parameter("keyPassword"));
        self.problems.extend(problem);
        tls.ca = self.context.services.authorities.and(tls.ca);
        tls.accepts_any = self.flag("unsafeSsl", false);
        tls
    }

    /// The certificates of those whom all triggers trust.
    pub(crate) fn authorities(&self) -> Option<String> {
        self.context.services.authorities.and(None)
    }

    /// The certificates of the parameter `key`, and of those whom all triggers trust. What holds none is a noted problem.
    pub(crate) fn trusted(&mut self, key: &str) -> Option<String> {
        let own = self.parameter(key);
        if own.is_some_and(|own| tls::certificates(own).is_none()) {
            self.problem(format!("the parameter {key} holds no certificate in PEM"));
            return None;
        }
        self.context.services.authorities.and(own.map(str::to_owned))
    }

    /// What the HPA holds the trigger's metric at, by the trigger's `metricType`.
    pub(crate) fn target(&mut self, value: f64) -> Target {
        Target::new(self.metric_type, value).unwrap_or_else(|error| {
            self.problem(error.to_string());
            Target::AverageValue(value)
        })
    }

    /// The value in `key`, read as `T`; `default` if absent, a noted problem if it does not read.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&mut self, key: &str, default: T) -> T {
        let Some(text) = self.text(key) else { return default };
        text.parse().unwrap_or_else(|error| {
            self.problem(format!("{key}={text:?} cannot be read: {error}"));
            default
        })
    }

    /// Go's words for a boolean.
    pub(crate) fn flag(&mut self, key: &str, default: bool) -> bool {
        match self.text(key) {
            None => default,
            Some("1" | "t" | "T" | "TRUE" | "true" | "True") => true,
            Some("0" | "f" | "F" | "FALSE" | "false" | "False") => false,
            Some(text) => {
                self.problem(format!("{key}={text:?} cannot be read: write \"true\" or \"false\""));
                default
            }
        }
    }

    pub(crate) fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Fails with all problems, if there were any. While the authentication is open, what it may give is not among them.
    pub(crate) fn finish(mut self) -> Result<()> {
        let found = self.problems.len();
        if self.context.authentication_is_open {
            let absent = self.absent.take();
            self.problems.retain(|problem| !absent.iter().any(|key| mentions(problem, key)));
        }
        if self.problems.is_empty() && found > 0 {
            return Err(Error::OpenAuthentication { trigger: self.trigger });
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Error::Metadata { trigger: self.trigger, problems: self.problems.join("; ") })
    }
}

/// Whether the text has the key as a word of its own.
fn mentions(text: &str, key: &str) -> bool {
    text.split(|one: char| !one.is_ascii_alphanumeric() && one != '_' && one != '-').any(|word| word == key)
}

fn present(value: Option<&String>) -> Option<&str> {
    value.map(|value| value.trim()).filter(|value| !value.is_empty())
}
