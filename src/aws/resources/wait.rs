//! Waiting for AWS: poll loops with visible progress, and retries of what only needs a little time.

use std::time::Duration;

use provision::{Context, Failure};

use crate::error::{Error, Result};

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
            Ok(Look::Hopeless(why)) => return Err(Failure::new(format!("{what}: {why}"))),
            Err(error) if error.is_retryable() => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        let elapsed = context.clock.elapsed(start);
        if elapsed >= limit {
            let minutes = limit.as_secs() / 60;
            let text = format!("{what} is not ready after {minutes} minutes: {status}; run again to go on waiting");
            return Err(Failure::new(text));
        }
        context.progress.report(status);
        tokio::select! {
            () = context.clock.sleep(delay) => {}
            () = context.stop.cancelled() => {
                return Err(Failure::new(format!("interrupted while waiting for {what}; the next run goes on from there")));
            }
        }
        delay = (delay * 3 / 2).min(DELAY_LONGEST);
    }
}

/// Calls until it succeeds, repeating for at most `limit` what `passes` says will pass.
pub(super) async fn retry<T, F: Future<Output = Result<T>>>(
    context: &Context,
    limit: Duration,
    passes: impl Fn(&Error) -> bool,
    mut call: impl FnMut() -> F,
) -> Result<T, Failure> {
    let start = context.clock.moment();
    let mut delay = DELAY_FIRST;
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) if passes(&error) && context.clock.elapsed(start) < limit && !context.stop.is_cancelled() => {
                context.progress.report(format!("trying again, as this often passes: {error}"));
                context.clock.sleep(delay).await;
                delay = (delay * 3 / 2).min(Duration::from_secs(5));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the error is one that EKS or IAM gives while a new role or policy has not reached it yet.
pub(super) fn is_propagating(error: &Error) -> bool {
    // Texts as hashicorp/terraform-provider-aws retries them (internal/service/eks/cluster.go, fargate_profile.go) and
    // IAM's own for principals of trust policies.
    const TEXTS: [&str; 7] = [
        "does not exist",
        "could not be assumed",
        "cannot be assumed",
        "Role provided in the request does not have",
        "Misconfigured PodExecutionRole Trust Policy",
        "Invalid principal in policy",
        "not authorized to perform: sts:AssumeRole",
    ];
    let Error::Service { code, message, .. } = error else { return false };
    let fitting = matches!(
        code.as_str(),
        "InvalidParameterException"
            | "InvalidRequestException"
            | "MalformedPolicyDocument"
            | "MalformedPolicyDocumentException"
    );
    fitting && TEXTS.iter().any(|text| message.contains(text))
}

/// Whether another operation has to end first.
pub(super) fn is_in_use(error: &Error) -> bool {
    error.code() == Some("ResourceInUseException")
}
