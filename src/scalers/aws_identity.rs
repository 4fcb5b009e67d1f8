//! As whom a trigger calls AWS: KEDA's provider `aws` with its three modes, and the legacy keys
//! (`docs/rules.md#keda-identity-of-an-aws-trigger`).
//!
//! A role's credentials are got as KEDA gets them: first AssumeRoleWithWebIdentity with the operator's own token, and
//! if that is refused AssumeRole with the operator's own credentials. Sessions are shared by role and region while a
//! scaler uses them; resolving one role never waits for another.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use aws::session::Session;
use clock::Clock;
use keda::api::{IdentityOwner, PodIdentityProvider};
use tokio::sync::Mutex as AsyncMutex;

use crate::Context;
use crate::metadata::Metadata;

/// The session name that KEDA uses; it is visible in the assumed role's ARN.
const SESSION_NAME: &str = "KEDA";
/// Longest wait for the first attempt with a web identity, real time.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// As whom a trigger calls.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The operator itself.
    Operator,
    /// A role, by web identity or else by AssumeRole.
    Role(String),
    /// A role by AssumeRole only: the way of `awsRoleArn` and of provider aws-eks.
    AssumedRole(String),
    /// Keys from parameters or the target's environment.
    Static { id: String, secret: String, token: Option<String> },
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("Operator"),
            Self::Role(arn) => f.debug_tuple("Role").field(arn).finish(),
            Self::AssumedRole(arn) => f.debug_tuple("AssumedRole").field(arn).finish(),
            Self::Static { .. } => f.write_str("Static"),
        }
    }
}

/// The identity that trigger and TriggerAuthentication ask for; what is wrong with them is noted in `metadata`.
pub(crate) fn chosen(metadata: &mut Metadata<'_>, context: &Context) -> Identity {
    let provider = context.pod_identity.as_ref().map(|identity| identity.provider).unwrap_or_default();
    let chosen = match provider {
        PodIdentityProvider::Aws => by_provider_aws(context),
        _ => legacy(metadata, context, provider == PodIdentityProvider::AwsEks),
    };
    chosen.unwrap_or_else(|problem| {
        metadata.problem(problem);
        Identity::Operator
    })
}

fn by_provider_aws(context: &Context) -> Result<Identity, String> {
    let Some(identity) = &context.pod_identity else { return Ok(Identity::Operator) };
    let role_arn = identity.role_arn.as_deref().filter(|arn| !arn.is_empty());
    match (identity.identity_owner.unwrap_or_default(), role_arn) {
        (IdentityOwner::Keda, None) => Ok(Identity::Operator),
        (IdentityOwner::Keda, Some(arn)) => Ok(Identity::Role(arn.to_owned())),
        (IdentityOwner::Workload, Some(_)) => {
            Err("podIdentity.roleArn and identityOwner workload exclude each other; remove one of them".to_owned())
        }
        (IdentityOwner::Workload, None) => workload_role(context).map(Identity::Role).ok_or_else(|| {
            format!(
                "identityOwner is workload, but ServiceAccount {} has no annotation {}; annotate it with the role's ARN",
                context.workload.service_account,
                crate::ROLE_ARN_ANNOTATION
            )
        }),
    }
}

fn workload_role(context: &Context) -> Option<String> {
    context.workload.role_arn.clone().filter(|arn| !arn.is_empty())
}

/// The keys from before provider `aws`: trigger metadata's identityOwner, then a role, then static keys.
fn legacy(metadata: &Metadata<'_>, context: &Context, eks: bool) -> Result<Identity, String> {
    match metadata.text("identityOwner").unwrap_or("pod") {
        "operator" => return Ok(Identity::Operator),
        "pod" => {}
        other => return Err(format!("identityOwner={other:?} is unknown; use \"pod\" or \"operator\"")),
    }
    let by_annotation = if eks { workload_role(context) } else { None };
    if let Some(arn) = by_annotation.or_else(|| metadata.parameter("awsRoleArn").map(str::to_owned)) {
        return Ok(Identity::AssumedRole(arn));
    }
    let id = metadata.parameter("awsAccessKeyID").or_else(|| metadata.parameter("awsAccessKeyId"));
    if let (Some(id), Some(secret)) = (id, metadata.parameter("awsSecretAccessKey")) {
        let token = metadata.parameter("awsSessionToken").map(str::to_owned);
        return Ok(Identity::Static { id: id.to_owned(), secret: secret.to_owned(), token });
    }
    let remedy = "use a TriggerAuthentication with podIdentity provider aws, or identityOwner: operator in the trigger";
    let id = metadata.text("awsAccessKeyID").or_else(|| metadata.by_env("awsAccessKeyID"));
    let id = id.ok_or_else(|| format!("awsAccessKeyID not found: no credentials are configured; {remedy}"))?;
    let secret = metadata.by_env("awsSecretAccessKey");
    let secret = secret.ok_or_else(|| format!("awsSecretAccessKey not found: only the key's id is given; {remedy}"))?;
    Ok(Identity::Static { id: id.to_owned(), secret: secret.to_owned(), token: None })
}

type Key = (String, String);

/// The operator's own session and those of the roles that triggers use.
pub struct Identities {
    operator: Session,
    token_file: Option<PathBuf>,
    clock: Clock,
    roles: Mutex<HashMap<Key, Weak<Role>>>,
}

/// One role in one region, shared by all scalers that use it.
pub(crate) struct Role {
    arn: String,
    region: Session,
    resolved: AsyncMutex<Option<Resolved>>,
}

/// A session, and how it was come by where that explains a later refusal.
#[derive(Clone)]
pub(crate) struct Resolved {
    pub(crate) session: Session,
    pub(crate) note: String,
}

/// What a scaler holds: it can be resolved at any time and keeps the shared session alive.
pub(crate) enum Caller {
    Fixed(Box<Session>),
    Role(Arc<Role>),
}

impl Identities {
    /// The operator's own session; `token_file` is its own web identity token, if it has one.
    pub fn new(operator: Session, token_file: Option<PathBuf>, clock: Clock) -> Self {
        Self { operator, token_file, clock, roles: Mutex::default() }
    }

    /// The clock by which reads are bounded.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The caller for `identity` in `region`. Nothing is called yet.
    pub(crate) fn caller(&self, identity: &Identity, region: &str) -> Caller {
        let here = self.operator.with_region(region);
        match identity {
            Identity::Operator => Caller::Fixed(Box::new(here)),
            Identity::AssumedRole(arn) => Caller::Fixed(Box::new(here.assume_role(arn, SESSION_NAME))),
            Identity::Static { id, secret, token } => {
                Caller::Fixed(Box::new(here.with_static_credentials(id, secret, token.as_deref())))
            }
            Identity::Role(arn) => Caller::Role(self.role(arn, here)),
        }
    }

    fn role(&self, arn: &str, here: Session) -> Arc<Role> {
        let key = (arn.to_owned(), here.region().to_owned());
        let mut roles = self.roles();
        if let Some(role) = roles.get(&key).and_then(Weak::upgrade) {
            return role;
        }
        roles.retain(|_, role| role.strong_count() > 0);
        let role = Arc::new(Role { arn: arn.to_owned(), region: here, resolved: AsyncMutex::new(None) });
        roles.insert(key, Arc::downgrade(&role));
        role
    }

    fn roles(&self) -> MutexGuard<'_, HashMap<Key, Weak<Role>>> {
        // The map is consistent between any two of its operations, so a panic elsewhere does not spoil it.
        self.roles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session to call with.
    pub(crate) async fn resolve(&self, caller: &Caller) -> Resolved {
        let role = match caller {
            Caller::Fixed(session) => return Resolved { session: (**session).clone(), note: String::new() },
            Caller::Role(role) => role,
        };
        let mut resolved = role.resolved.lock().await;
        if let Some(resolved) = &*resolved {
            return resolved.clone();
        }
        let (found, lasting) = self.probed(role).await;
        if lasting {
            *resolved = Some(found.clone());
        }
        found
    }

    /// Forgets how a role was come by, so that the next read tries the web identity again: its trust may be mended.
    pub(crate) async fn forget(&self, caller: &Caller) {
        if let Caller::Role(role) = caller {
            *role.resolved.lock().await = None;
        }
    }

    /// KEDA's order of attempts, and whether the result may be kept.
    async fn probed(&self, role: &Role) -> (Resolved, bool) {
        let assumed = |note: String| Resolved { session: role.region.assume_role(&role.arn, SESSION_NAME), note };
        let Some(file) = &self.token_file else { return (assumed(String::new()), true) };
        let session = role.region.assume_role_with_web_identity(&role.arn, file, SESSION_NAME);
        let limit = self.clock.to_system(PROBE_LIMIT);
        match self.clock.timeout(limit, session.caller_identity()).await {
            Ok(Ok(identity)) => {
                tracing::info!(
                    role = role.arn,
                    identity = identity.arn,
                    "role assumed with the operator's web identity"
                );
                (Resolved { session, note: String::new() }, true)
            }
            Ok(Err(error)) => {
                tracing::info!(role = role.arn, %error, "web identity not accepted, trying AssumeRole");
                let note = format!(" (AssumeRoleWithWebIdentity for the same role was tried first: {error})");
                (assumed(note), !error.is_retryable())
            }
            Err(_) => {
                tracing::warn!(role = role.arn, "no answer to the web identity in time, trying AssumeRole");
                (assumed(" (AssumeRoleWithWebIdentity was tried first and timed out)".to_owned()), false)
            }
        }
    }
}

#[cfg(test)]
mod tests;
