//! The callers of AWS, shared by all triggers that call as the same identity in the same region: one session and one SDK
//! client an endpoint for all of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws::session::Session;
use clock::Clock;
use tokio::sync::Semaphore;

use super::identity::Identity;
use super::resolved::{Failure, Resolved};
use super::role::Role;
use crate::connections::Connections;

/// Calls of one caller that may be under way at the same time.
const CALLS_MAX: usize = 64;

/// The operator's own session and those of the identities that triggers use.
pub struct Identities {
    operator: Session,
    token_file: Option<PathBuf>,
    clock: Clock,
    callers: Connections,
    /// How many callers there were.
    count: AtomicU64,
}

/// What a scaler holds: it can be called as at any time and keeps the shared session alive.
pub(crate) struct Caller {
    /// Distinguishes it from every other caller of the process, those of the same identity before it included.
    pub(crate) number: u64,
    kind: Kind,
    /// Bounds the calls that are under way, so that a source that does not answer takes connections only up to it.
    calls: Semaphore,
}

enum Kind {
    Fixed(Arc<Resolved>),
    Role(Box<Role>),
}

impl Identities {
    /// The operator's own session; `token_file` is its own web identity token, if it has one.
    pub fn new(operator: Session, token_file: Option<PathBuf>, clock: Clock) -> Self {
        Self { operator, token_file, clock, callers: Connections::default(), count: AtomicU64::new(0) }
    }

    /// The caller for `identity` in `region`. Nothing is called yet.
    pub(crate) fn caller(&self, identity: &Identity, region: &str) -> Arc<Caller> {
        let mut key = vec![region.to_owned()];
        match identity {
            Identity::Operator => key.push("operator".to_owned()),
            Identity::Role(arn) => key.extend(["role".to_owned(), arn.clone()]),
            Identity::AssumedRole(arn) => key.extend(["assumed".to_owned(), arn.clone()]),
            Identity::Static { id, secret, token } => {
                key.extend(["static".to_owned(), id.clone(), secret.clone()]);
                key.extend(token.clone());
            }
        }
        self.callers.get(key, || {
            let number = self.count.fetch_add(1, Ordering::Relaxed);
            Caller { number, kind: self.kind(identity, region), calls: Semaphore::new(CALLS_MAX) }
        })
    }

    fn kind(&self, identity: &Identity, region: &str) -> Kind {
        let here = self.operator.with_region(region);
        let fixed = |session| Kind::Fixed(Arc::new(Resolved::new(session, String::new())));
        let role = |arn: &str, here, file| Kind::Role(Box::new(Role::new(arn, here, file, self.clock.clone())));
        match identity {
            Identity::Operator => fixed(here),
            Identity::Static { id, secret, token } => fixed(here.with_static_credentials(id, secret, token.as_deref())),
            Identity::AssumedRole(arn) => role(arn, here, None),
            Identity::Role(arn) => role(arn, here, self.token_file.clone()),
        }
    }
}

impl Caller {
    /// Makes a call as this caller, with all that it takes to become it, within `limit` of real time.
    pub(crate) async fn call<T>(
        &self,
        clock: &Clock,
        limit: Duration,
        call: impl AsyncFnOnce(&Resolved) -> Result<T, aws::Error>,
    ) -> Result<T, Failure> {
        let called = async {
            // It is never closed.
            let _permit = self.calls.acquire().await.ok();
            match &self.kind {
                Kind::Fixed(resolved) => {
                    Box::pin(call(resolved)).await.map_err(|cause| Failure::Aws { cause, note: resolved.note.clone() })
                }
                Kind::Role(role) => role.call(call).await,
            }
        };
        match clock.timeout(clock.to_system(limit), Box::pin(called)).await {
            Ok(called) => called,
            Err(clock::Elapsed) => Err(Failure::TimedOut),
        }
    }
}
