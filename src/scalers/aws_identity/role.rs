//! One role in one region, shared by all triggers that use it.
//!
//! Its credentials are got as KEDA gets them: first AssumeRoleWithWebIdentity with the operator's own token, and if that is
//! refused AssumeRole with the operator's own credentials. One trigger at a time tries; the others take part in what comes of
//! it. A refusal counts for all of them until a pause is over, which grows with each refusal in a row, and while the next
//! attempt is under way. No role waits for another.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::session::Session;
use clock::{Clock, Moment};
use tokio::sync::{Mutex as AsyncMutex, Notify};

use super::resolved::{Failure, Resolved};

/// The session name that KEDA uses; it is visible in the assumed role's ARN.
const SESSION_NAME: &str = "KEDA";
/// Longest wait for the attempt with a web identity, real time.
const WEB_IDENTITY_LIMIT: Duration = Duration::from_secs(5);
/// Longest wait for the attempt with the operator's own credentials, real time.
const ASSUME_ROLE_LIMIT: Duration = Duration::from_secs(10);
/// The pause after the first refusal, doubled with each in a row; real time.
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// The longest pause; real time. A role whose trust was mended is used again after it.
const PAUSE_MAX: Duration = Duration::from_secs(30);

pub(super) struct Role {
    arn: String,
    region: Session,
    token_file: Option<PathBuf>,
    clock: Clock,
    /// Held by who tries.
    trying: AsyncMutex<()>,
    state: Mutex<State>,
    /// Who waits for credentials while the role is refused to somebody else need not wait any longer.
    refused: Notify,
}

#[derive(Default)]
struct State {
    resolved: Option<Arc<Resolved>>,
    /// When it was got.
    since: Option<Moment>,
    refusal: Option<Refusal>,
    /// In a row.
    refusals: u32,
}

/// How the role was refused last, and until when that counts.
#[derive(Clone)]
struct Refusal {
    cause: aws::Error,
    note: String,
    until: Moment,
}

impl Refusal {
    fn failure(&self) -> Failure {
        Failure::Aws { cause: self.cause.clone(), note: self.note.clone() }
    }
}

impl Role {
    /// `token_file`: the operator's own web identity token, if that is to be tried.
    pub(super) fn new(arn: &str, region: Session, token_file: Option<PathBuf>, clock: Clock) -> Self {
        Self {
            arn: arn.to_owned(),
            region,
            token_file,
            clock,
            trying: AsyncMutex::default(),
            state: Mutex::default(),
            refused: Notify::new(),
        }
    }

    /// Makes a call in this role.
    pub(super) async fn call<T>(
        &self,
        call: impl AsyncFnOnce(&Resolved) -> Result<T, aws::Error>,
    ) -> Result<T, Failure> {
        let resolved = self.resolved().await?;
        let mut refused = std::pin::pin!(self.refused.notified());
        refused.as_mut().enable();
        let mut called = Box::pin(call(&resolved));
        let cause = tokio::select! {
            biased;
            called = &mut called => match called {
                Ok(answer) => return Ok(answer),
                Err(cause) => cause,
            },
            // The credentials ran out, and somebody else has just learned that there are no new ones.
            () = refused => match self.refusal() {
                Some(refusal) => return Err(refusal.failure()),
                None => return Err(Failure::TimedOut),
            },
        };
        let note = if cause.is_of_identity() { resolved.note.clone() } else { String::new() };
        if is_identity_lost(&cause) {
            self.lose(&resolved, cause.clone(), note.clone());
        } else if cause.is_refused() {
            self.renew(&resolved);
        }
        Err(Failure::Aws { cause, note })
    }

    /// The session to call with.
    async fn resolved(&self) -> Result<Arc<Resolved>, Failure> {
        if let Some(known) = self.known() {
            return known;
        }
        let _trying = match (self.trying.try_lock(), self.refusal()) {
            (Ok(trying), _) => trying,
            (Err(_), Some(refusal)) => return Err(refusal.failure()),
            (Err(_), None) => self.trying.lock().await,
        };
        // Somebody else may have tried meanwhile.
        if let Some(known) = self.known() {
            return known;
        }
        let tried = Box::pin(self.tried()).await;
        let mut state = self.state();
        match tried {
            Ok(resolved) => {
                let resolved = Arc::new(resolved);
                let since = Some(self.clock.moment());
                *state = State { resolved: Some(Arc::clone(&resolved)), since, ..State::default() };
                Ok(resolved)
            }
            Err((cause, note)) => Err(state.refuse(&self.clock, cause, note).failure()),
        }
    }

    /// What is known without asking: the session, or a refusal that counts still.
    fn known(&self) -> Option<Result<Arc<Resolved>, Failure>> {
        let state = self.state();
        if let Some(resolved) = &state.resolved {
            return Some(Ok(Arc::clone(resolved)));
        }
        let refusal = state.refusal.as_ref().filter(|refusal| self.clock.moment() < refusal.until)?;
        Some(Err(refusal.failure()))
    }

    fn refusal(&self) -> Option<Refusal> {
        self.state().refusal.clone()
    }

    /// The session's credentials are of no use any more. Whoever else has found that out before has said so.
    fn lose(&self, resolved: &Arc<Resolved>, cause: aws::Error, note: String) {
        let mut state = self.state();
        if state.resolved.as_ref().is_some_and(|current| Arc::ptr_eq(current, resolved)) {
            state.resolved = None;
            state.refuse(&self.clock, cause, note);
            drop(state);
            self.refused.notify_waiters();
        }
    }

    /// The session may do less than the role does now: a role that was deleted and made again is another one, to which its sessions
    /// do not belong. The next call gets a new session, unless this one is new itself.
    fn renew(&self, resolved: &Arc<Resolved>) {
        let mut state = self.state();
        let is_current = state.resolved.as_ref().is_some_and(|current| Arc::ptr_eq(current, resolved));
        let renewable = state.since.map(|since| since.plus(self.clock.to_system(PAUSE_MAX)));
        if is_current && renewable.is_none_or(|moment| moment <= self.clock.moment()) {
            state.resolved = None;
        }
    }

    /// KEDA's order of attempts. Each ends with a look at who one is then, so that only a session that works is kept.
    async fn tried(&self) -> Result<Resolved, (aws::Error, String)> {
        let mut note = String::new();
        if let Some(file) = &self.token_file {
            let session = self.region.assume_role_with_web_identity(&self.arn, file, SESSION_NAME);
            match self.identified(&session, WEB_IDENTITY_LIMIT, "sts:AssumeRoleWithWebIdentity").await {
                Ok(identity) => {
                    tracing::info!(role = self.arn, identity, "role assumed with the operator's web identity");
                    return Ok(Resolved::new(session, String::new()));
                }
                Err(error) => {
                    tracing::info!(role = self.arn, %error, "web identity not accepted, trying AssumeRole");
                    note = format!(" (AssumeRoleWithWebIdentity for the same role was tried first: {error})");
                }
            }
        }
        let session = self.region.assume_role(&self.arn, SESSION_NAME);
        match self.identified(&session, ASSUME_ROLE_LIMIT, "sts:AssumeRole").await {
            Ok(_) => Ok(Resolved::new(session, note)),
            Err(cause) => Err((cause, note)),
        }
    }

    async fn identified(
        &self,
        session: &Session,
        limit: Duration,
        operation: &'static str,
    ) -> Result<String, aws::Error> {
        let looking = Box::pin(session.caller_identity());
        let identity = self.clock.timeout(self.clock.to_system(limit), looking).await;
        let late = |_: clock::Elapsed| {
            let message = format!("no answer within {} s", limit.as_secs());
            aws::Error::Unreachable { operation, message }
        };
        Ok(identity.map_err(late)??.arn)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two of its changes, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn refuse(&mut self, clock: &Clock, cause: aws::Error, note: String) -> &Refusal {
        let pause = PAUSE_MIN.saturating_mul(1 << self.refusals.min(16)).min(PAUSE_MAX);
        self.refusals = self.refusals.saturating_add(1);
        self.refusal.insert(Refusal { cause, note, until: clock.moment().plus(clock.to_system(pause)) })
    }
}

/// Whether the caller's credentials are refused, or there are none, so that they have to be got anew.
fn is_identity_lost(cause: &aws::Error) -> bool {
    const REFUSED: [&str; 5] = [
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "UnrecognizedClientException",
    ];
    let is_refused = cause.code().is_some_and(|code| REFUSED.contains(&code));
    is_refused || (cause.is_of_identity() && !cause.is_retryable())
}
