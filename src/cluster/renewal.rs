//! A client whose credentials outlive any token: signed in anew before their end and after a refusal.
//!
//! Watches, observers and log readers hold one client for as long as they run, so the renewal belongs to the client and
//! not to those who ask for it. Where the API server keeps refusing, the client asks it ever less often: requests in between
//! get the refusal again without being sent.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, Moment};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::client::Body;
use serde_json::json;
use tokio::sync::Mutex;

use crate::Result;
use crate::error::Error;

/// Credentials are renewed this long before their end, real time.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// Refusals in a row, with no accepted request in between, after which the server is asked less often.
const REFUSALS_FREE: u32 = 2;
/// Time until the next attempt after that; it doubles each time. It is the clock's, as the limits of whoever waits are: a pause that
/// took longer than they do would use them up.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Real time between attempts while the server is busy.
const BUSY_PAUSES: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(500)];
/// Real time between attempts to renew what still holds.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// A client and until when its credentials hold; without an end they hold until they are refused.
#[derive(Clone)]
pub(crate) struct Lease {
    pub(crate) client: Client,
    pub(crate) server: String,
    pub(crate) expires_at: Option<Timestamp>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Signs in anew.
pub(crate) type SignIn = Arc<dyn Fn() -> BoxFuture<'static, Result<Lease>> + Send + Sync>;

/// What is behind a renewing client.
struct Renewing {
    sign_in: SignIn,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    lease: Lease,
    /// Counts the leases, so that one refused lease is replaced once, however many requests it was refused to.
    number: u64,
    /// Whether the server has refused the lease.
    is_refused: bool,
    /// When to try again what failed while the lease still held.
    renewal_at: Option<Moment>,
    trouble: Trouble,
}

impl State {
    fn new(lease: Lease) -> Self {
        Self { lease, number: 0, is_refused: false, renewal_at: None, trouble: Trouble::default() }
    }

    /// Real time that the credentials still hold, as far as is known; `None` if they have no end.
    fn left(&self, now: Timestamp) -> Option<SignedDuration> {
        self.lease.expires_at.map(|end| end.duration_since(now))
    }

    fn renew(&mut self, lease: Lease) {
        self.lease = lease;
        self.number += 1;
        self.is_refused = false;
        self.renewal_at = None;
    }
}

/// Failures in a row to be let in.
#[derive(Default)]
struct Trouble {
    refusals: u32,
    /// Until then nothing is sent.
    closed_until: Option<Moment>,
    /// What went wrong last.
    last: String,
}

/// Why a request was not sent.
enum Stop {
    /// The server refused the credentials a short while ago.
    Closed(String),
    /// Signing in failed.
    SignIn(Error),
}

/// A client that begins with `lease` and renews it by `sign_in`.
pub(crate) fn client(lease: Lease, sign_in: SignIn, clock: Clock) -> Client {
    let namespace = lease.client.default_namespace().to_owned();
    let state = Mutex::new(State::new(lease));
    let renewing = Arc::new(Renewing { sign_in, clock, state });
    let service = tower::service_fn(move |request: Request<Body>| {
        let renewing = renewing.clone();
        async move { renewing.send(request).await }
    });
    Client::new(service, namespace)
}

type Answer = Result<Response<Body>, tower::BoxError>;

/// Whether the server may answer the same request in a moment.
fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

impl Renewing {
    /// Sends the request, again after short pauses while the server is busy. What lasts longer is the caller's to wait for, who
    /// can say so.
    async fn send(&self, mut request: Request<Body>) -> Answer {
        let clock = Clock::real();
        for pause in BUSY_PAUSES {
            let again = copy(&request);
            let answer = self.send_once(request).await?;
            // A body that is a stream went with the first attempt.
            let Some(next) = again.filter(|_| is_busy(answer.status())) else { return Ok(answer) };
            clock.sleep(pause).await;
            request = next;
        }
        self.send_once(request).await
    }

    async fn send_once(&self, request: Request<Body>) -> Answer {
        let again = copy(&request);
        let (client, number) = match self.lease(true).await {
            Ok(leased) => leased,
            Err(stop) => return not_sent(stop),
        };
        let answer = client.send(request).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            self.accepted().await;
            return Ok(answer);
        }
        self.mark(number).await;
        // A body that is a stream went with the first attempt.
        let Some(again) = again else { return self.refused(number, answer).await };
        let (client, number) = match self.lease(false).await {
            Ok(leased) => leased,
            Err(stop) => return not_sent(stop),
        };
        let answer = client.send(again).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            tracing::info!("the Kubernetes API refused the credentials; signed in again");
            self.accepted().await;
            return Ok(answer);
        }
        self.refused(number, answer).await
    }

    /// The client to send with, signed in anew if its lease ends or was refused. A `first` attempt keeps to the pauses.
    async fn lease(&self, first: bool) -> Result<(Client, u64), Stop> {
        let mut state = self.state.lock().await;
        let moment = self.clock.moment();
        if first {
            state.trouble.pass(moment, &self.clock).map_err(Stop::Closed)?;
        }
        let left = state.left(self.clock.now());
        let holds = !state.is_refused && left.is_none_or(|left| left > SignedDuration::ZERO);
        let ends = left.is_some_and(|left| left <= MARGIN) && state.renewal_at.is_none_or(|at| at <= moment);
        if !holds || ends {
            match (self.sign_in)().await {
                Ok(lease) => state.renew(lease),
                Err(error) if holds => {
                    tracing::warn!(%error, "failed to renew the credentials for the Kubernetes API; they still hold");
                    state.renewal_at = Some(moment.plus(self.clock.to_system(RENEWAL_PAUSE)));
                }
                Err(error) => {
                    state.trouble.add(error.to_string(), moment);
                    return Err(Stop::SignIn(error));
                }
            }
        }
        Ok((state.lease.client.clone(), state.number))
    }

    /// Notes that the lease of this number is no good; a newer one is not touched.
    async fn mark(&self, number: u64) {
        let mut state = self.state.lock().await;
        state.is_refused |= state.number == number;
    }

    async fn accepted(&self) {
        self.state.lock().await.trouble = Trouble::default();
    }

    async fn refused(&self, number: u64, answer: Response<Body>) -> Answer {
        self.mark(number).await;
        let text = "the API server does not accept the credentials".to_owned();
        self.state.lock().await.trouble.add(text, self.clock.moment());
        Ok(answer)
    }
}

impl Trouble {
    /// Lets a request pass unless it is too early; one that passes after a pause begins the next pause, so that it goes alone.
    fn pass(&mut self, now: Moment, clock: &Clock) -> Result<(), String> {
        let Some(until) = self.closed_until else { return Ok(()) };
        if until > now {
            let at = clock.deadline(until.since(now)).round(jiff::Unit::Second).unwrap_or(clock.now());
            return Err(format!("{}; the next attempt is at {}", self.last, at.strftime("%H:%M:%S UTC")));
        }
        self.closed_until = Some(now.plus(self.pause()));
        Ok(())
    }

    fn add(&mut self, why: String, now: Moment) {
        self.refusals = self.refusals.saturating_add(1);
        self.last = why;
        if self.refusals >= REFUSALS_FREE {
            let pause = self.pause();
            tracing::warn!(why = %self.last, next_seconds = pause.as_secs(), "not let in to the Kubernetes API");
            self.closed_until = Some(now.plus(pause));
        }
    }

    fn pause(&self) -> Duration {
        let doublings = self.refusals.saturating_sub(REFUSALS_FREE).min(10);
        PAUSE_MIN.saturating_mul(1 << doublings).min(PAUSE_MAX)
    }
}

/// The request once more, if its body is not a stream.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// The answer to a request that is not sent: the same refusal as before, with the reason.
fn not_sent(stop: Stop) -> Answer {
    let message = match stop {
        Stop::SignIn(error) => return Err(error.into()),
        Stop::Closed(message) => message,
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": "Unauthorized", "code": 401,
    });
    let body = Body::from(status.to_string().into_bytes());
    Ok(Response::builder().status(StatusCode::UNAUTHORIZED).header("content-type", "application/json").body(body)?)
}
