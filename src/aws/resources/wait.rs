//! Waiting for AWS: poll loops with visible progress.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use provision::{Context, Failure};

use crate::error::Result;

/// IAM's changes reach other services within this time (`docs/rules.md#iam-propagation`).
pub(super) const IAM_PROPAGATION: Duration = Duration::from_mins(2);

const DELAY_FIRST: Duration = Duration::from_secs(1);
const DELAY_LONGEST: Duration = Duration::from_secs(15);

/// What one look found.
pub(super) enum Look<T> {
    /// What was waited for.
    Done(T),
    /// Not yet; the status, for people.
    Waiting(String),
    /// It will never come; why.
    Hopeless(String),
}

/// Looks until it is done, at most for `limit`. A look that failed in a way that passes is repeated.
pub(super) async fn until<T, F: Future<Output = Result<Look<T>>>>(
    context: &Context,
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> Result<T, Failure> {
    let start = context.clock.moment();
    let mut delay = DELAY_FIRST;
    loop {
        let status = match look().await {
            Ok(Look::Done(value)) => return Ok(value),
            Ok(Look::Waiting(status)) => status,
            Ok(Look::Hopeless(why)) => {
                return Err(
                    Failure::new(format!("{what}: {why}")).next(format!("mend what it names, then {}", again(what)))
                );
            }
            Err(error) if error.is_retryable() => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        let elapsed = context.clock.elapsed(start);
        if elapsed >= limit {
            let minutes = limit.as_secs() / 60;
            let text = format!("{what} is not ready after {minutes} minutes: {status}");
            return Err(Failure::new(text).next(format!("to go on waiting, {}", again(what))));
        }
        context.progress.report(status);
        pause(context, delay).await;
        if context.stop.is_cancelled() {
            return Err(Failure::new(format!("interrupted while waiting for {what}; the next run goes on from there")));
        }
        delay = (delay * 3 / 2).min(DELAY_LONGEST);
    }
}

/// What to run when the cause is gone: what was made is recorded, and what failed is made anew.
fn again(what: &str) -> &'static str {
    if what.starts_with("the deletion") { "run `sluice down` again" } else { "run `sluice up` again" }
}

/// For how long something has held, over several looks.
#[derive(Default)]
pub(super) struct Lasting(Mutex<Option<clock::Moment>>);

impl Lasting {
    /// How long it has held without a break, now that a look says whether it `holds`; zero if it does not.
    pub(super) fn seen(&self, holds: bool, context: &Context) -> Duration {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *since = holds.then(|| since.unwrap_or_else(|| context.clock.moment()));
        since.map_or(Duration::ZERO, |since| context.clock.elapsed(since))
    }
}

/// Waits for `delay`, or until a signal comes.
pub(super) async fn pause(context: &Context, delay: Duration) {
    tokio::select! {
        () = context.clock.sleep(delay) => {}
        () = context.stop.cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    use provision::Progress;
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn context() -> (Context, CancellationToken) {
        let stop = CancellationToken::new();
        // So fast that an hour of waiting is over at once.
        let clock = clock::Clock::scaled(100_000.0);
        (Context { clock, progress: Progress::silent(), stop: stop.clone() }, stop)
    }

    #[tokio::test]
    async fn a_state_without_hope_ends_the_wait_at_once_with_its_issue_and_a_next_step() {
        let (context, _stop) = context();
        let mut looks = 0;
        let failure = until::<(), _>(&context, "Fargate profile default", Duration::from_hours(1), || {
            looks += 1;
            let look = match looks {
                1 => Look::Waiting("CREATING".to_owned()),
                _ => Look::Hopeless("it is CREATE_FAILED [AccessDenied: the role may not be assumed]".to_owned()),
            };
            std::future::ready(Ok(look))
        })
        .await
        .unwrap_err();
        assert!(failure.to_string().contains("CREATE_FAILED [AccessDenied: the role"), "{failure}");
        assert!(failure.next_step().unwrap().contains("`sluice up` again"));
        assert_eq!(looks, 2);
    }

    #[tokio::test]
    async fn a_wait_in_vain_gives_the_last_status_and_how_to_go_on() {
        let (context, _stop) = context();
        let look = || std::future::ready(Ok(Look::<()>::Waiting("DELETING [ClusterUnreachable: busy]".to_owned())));
        let failure = until(&context, "the deletion of addon x", Duration::from_mins(2), look).await.unwrap_err();
        assert!(failure.to_string().contains("after 2 minutes: DELETING [ClusterUnreachable: busy]"), "{failure}");
        assert!(failure.next_step().unwrap().contains("`sluice down` again"));
    }
}
