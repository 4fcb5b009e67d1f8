//! The account and the stack that resources belong to.

use std::collections::BTreeMap;

use aws_smithy_types::retry::RetryConfig;
use provision::{Object, Reading};
use serde_json::Value;

use crate::session::Session;

/// The tag that says whose a thing is.
pub const TAG_STACK: &str = "sluice:stack";
/// The tag that says which run made a thing.
pub const TAG_RUN: &str = "sluice:run";
/// The tag that says when a thing may be swept away.
pub const TAG_EXPIRES_AT: &str = "sluice:expires-at";

/// Attempts of one call while a service throttles, fails or gives no answer: half a minute on average.
pub(crate) const ATTEMPTS: u32 = 8;

/// The account and the stack that resources belong to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cloud {
    session: Session,
    pub(crate) eks: aws_sdk_eks::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) stack: String,
    tags: BTreeMap<String, String>,
}

impl Cloud {
    /// The account that `session` reaches, for `stack`; what is made carries the three tags and `tags`.
    pub fn new(session: &Session, stack: &str, run: &str, expires_at: &str, tags: &BTreeMap<String, String>) -> Self {
        let mut tags = tags.clone();
        for (name, value) in [(TAG_STACK, stack), (TAG_RUN, run), (TAG_EXPIRES_AT, expires_at)] {
            tags.insert(name.to_owned(), value.to_owned());
        }
        // IAM throttles bursts for longer than the second or so that the SDK's usual three attempts cover.
        let patient = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let config = session.config.to_builder().retry_config(patient).build();
        Self {
            session: session.clone(),
            eks: aws_sdk_eks::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            stack: stack.to_owned(),
            tags,
        }
    }

    /// Who calls, and where.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The stack's name.
    pub fn stack(&self) -> &str {
        &self.stack
    }

    /// The tags that everything of this stack gets.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    /// Whether the object carries our stack's tag.
    pub(crate) fn owns(&self, object: &Object) -> bool {
        matches!(self.claim(object.clone()), Reading::Present(_))
    }

    /// The object as ours, or why it is foreign.
    pub(crate) fn claim(&self, object: Object) -> Reading {
        let owner = object.attributes.get("tags").and_then(|tags| tags.get(TAG_STACK)).and_then(Value::as_str);
        match owner {
            Some(owner) if owner == self.stack => Reading::Present(object),
            Some(owner) => Reading::Foreign(format!("its tag {TAG_STACK} is `{owner}`, not `{}`", self.stack)),
            None => Reading::Foreign(format!("it has no tag {TAG_STACK}")),
        }
    }
}
