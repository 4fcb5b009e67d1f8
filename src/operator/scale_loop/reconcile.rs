//! One reconcile of a ScaledObject: a list of steps in KEDA's order (`docs/rules.md#keda-order-of-a-reconcile`), each a
//! function that takes and returns values.
//!
//! Only [`adopt`], [`autoscaler`] and the status are writes; nothing here knows the loop that calls it.

mod adopt;
mod autoscaler;
mod dereference;
mod error;
mod found;
mod policy;
mod requests;
mod status;
mod takeover;
mod validate;

use keda::api::{ConditionStatus, ScaledObject, ScaledObjectStatus};
use keda::conditions;

pub(super) use self::error::ReconcileError;
use self::found::Found;
pub(super) use self::policy::{Policy, policy};
pub(crate) use self::requests::check as check_requests;
use crate::context::Context;

/// The conditions whose transitions are reported.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub(super) ready: bool,
    /// A pause in one direction is one too.
    pub(super) paused: bool,
}

impl Shown {
    fn by(status: Option<&ScaledObjectStatus>) -> Self {
        let conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default();
        let is = |type_| conditions::status(conditions, type_) == ConditionStatus::True;
        Self { ready: is(conditions::READY), paused: is(conditions::PAUSED) }
    }
}

/// What a reconcile leaves.
pub(super) struct Reconciled {
    /// The object as it was written last.
    pub(super) object: ScaledObject,
    /// What its conditions said before.
    pub(super) before: Shown,
    /// What they say now.
    pub(super) after: Shown,
    /// Paused in both directions: neither polled nor in the hands of an HPA.
    pub(super) is_paused: bool,
    /// The HPA is as this spec wants it, and so will polls be.
    pub(super) is_accepted: bool,
    /// The step that ended the check, and the write of the status; none if all is in order.
    pub(super) errors: Vec<ReconcileError>,
}

/// The steps. A failed one ends the check; what was found until then goes into the status in any case.
///
/// # Errors
///
/// [`ReconcileError::Adopt`]: nothing was checked.
pub(super) async fn reconcile(context: &Context, object: &ScaledObject) -> Result<Reconciled, ReconcileError> {
    let object = adopt::adopt(context, object).await?;
    let mut found = Found::default();
    let checked = async {
        found.annotated = validate::annotated(&object)?;
        if found.is_paused() {
            // A pause holds whatever else is wrong with the object. What there is to know of the target is noted.
            found.target = dereference::dereference(context, &object).await.ok();
            found.autoscaler = Some(autoscaler::remove_paused(context, &object).await?);
            return Ok(());
        }
        validate::spec(&object)?;
        let target = found.target.insert(dereference::dereference(context, &object).await?);
        requests::check(context, &object).await?;
        context.caches.masters.check(&object).map_err(ReconcileError::Conflict)?;
        let mut wanted = autoscaler::build(context, &object, target).await?;
        let broken = wanted.broken.take();
        found.autoscaler = Some(autoscaler::apply(context, &object, wanted).await?);
        // The others' HPA stands; what is wrong is reported all the same.
        broken.map_or(Ok(()), |broken| Err(ReconcileError::Triggers(broken)))
    };
    let failed = checked.await.err();
    let wanted = status::after(&object, &found, failed.as_ref());
    let written = status::write(context, &object, &wanted).await;
    Ok(Reconciled {
        before: Shown::by(object.status.as_ref()),
        after: Shown::by(Some(&wanted)),
        is_paused: found.is_paused(),
        is_accepted: found.has_autoscaler() && !found.is_paused(),
        errors: failed.into_iter().chain(written.as_ref().err().cloned()).collect(),
        object: written.ok().flatten().unwrap_or(object),
    })
}
