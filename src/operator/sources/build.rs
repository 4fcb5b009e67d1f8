//! A scaler of a trigger and of all that the trigger refers to.

use std::sync::Arc;

use clock::Moment;
use k8s_openapi::api::core::v1::PodSpec;
use keda::api::{IdentityOwner, PodIdentityProvider, ScaleTriggers};
use scalers::{Scaler, Workload};
use tokio::sync::OnceCell;

use super::error::TriggerError;
use crate::authentication;
use crate::context::Context;
use crate::environment::Environment;
use crate::inputs::Seen;
use crate::key::Reference;
use crate::owner::{self, Owner};

/// What all triggers of one object have in common, looked at once and only by those that ask. What cannot be read of it concerns
/// them alone.
pub(super) struct Common<'a> {
    pub(super) context: &'a Context,
    pub(super) owner: &'a dyn Owner,
    pub(super) user: Reference,
    pods: OnceCell<Result<Option<PodSpec>, Arc<TriggerError>>>,
    environment: OnceCell<Result<Environment, Arc<TriggerError>>>,
}

impl<'a> Common<'a> {
    pub(super) fn new(context: &'a Context, owner: &'a dyn Owner) -> Self {
        Self { context, owner, user: owner::reference(owner), pods: OnceCell::new(), environment: OnceCell::new() }
    }

    pub(super) fn namespace(&self) -> &str {
        self.owner.metadata().namespace.as_deref().unwrap_or_default()
    }

    /// The object's pods; `None` where there is no template of any.
    async fn pods(&self) -> Result<Option<&PodSpec>, Arc<TriggerError>> {
        let read = async || {
            if let Some(template) = self.owner.template() {
                self.context.caches.inputs.uses(&self.user, &template, Seen::Unknown);
            }
            self.owner.pods(&self.context.client).await.map_err(|error| Arc::new(TriggerError::Target(error)))
        };
        self.pods.get_or_init(read).await.as_ref().map(Option::as_ref).map_err(Arc::clone)
    }

    /// The environment of the pods' container.
    async fn environment(&self) -> Result<&Environment, Arc<TriggerError>> {
        let read = async || match authentication::container(self.pods().await?, self.owner.container()) {
            Ok(Some(container)) => {
                Ok(Environment::resolve(&self.context.values, &self.user, self.namespace(), container).await)
            }
            Ok(None) => Ok(Environment::default()),
            Err(error) => Err(Arc::new(error)),
        };
        self.environment.get_or_init(read).await.as_ref().map_err(Arc::clone)
    }
}

/// The scaler of the trigger at `index`, and when it is to be built anew.
pub(super) async fn scaler(
    common: &Common<'_>,
    trigger: &ScaleTriggers,
    index: usize,
) -> Result<(Arc<dyn Scaler>, Option<Moment>), Arc<TriggerError>> {
    let (context, namespace, empty) = (common.context, common.namespace(), Environment::default());
    let environment = if reads_environment(trigger) { common.environment().await? } else { &empty };
    let reference = trigger.authentication_ref.as_ref();
    let found = authentication::resolve(context, &common.user, reference, async || common.pods().await).await?;
    let by_workload = found.pod_identity.as_ref().is_some_and(|identity| {
        let owner = identity.identity_owner.unwrap_or_default();
        let provider = identity.provider;
        provider == PodIdentityProvider::AwsEks
            || (provider == PodIdentityProvider::Aws && owner == IdentityOwner::Workload)
    });
    let workload = if by_workload {
        authentication::workload(context, &common.user, common.pods().await?).await?
    } else {
        Workload::default()
    };
    let resolved = scalers::Context {
        services: Arc::clone(&context.services),
        name: common.owner.metadata().name.clone().unwrap_or_default(),
        namespace: namespace.to_owned(),
        is_metric_source: common.owner.has_formula(),
        environment: environment.variables.clone(),
        authentication: found.parameters,
        authentication_is_open: false,
        pod_identity: found.pod_identity,
        workload,
    };
    let built = scalers::build(trigger, index, &resolved).map_err(|error| {
        Arc::new(TriggerError::Scaler {
            error: Box::new(error),
            problems: found.problems.iter().chain(&environment.problems).cloned().collect(),
            is_self_contained: is_self_contained(trigger),
        })
    });
    built.map(|scaler| (Arc::from(scaler), found.until))
}

/// Whether the trigger names a variable of the target's environment.
fn reads_environment(trigger: &ScaleTriggers) -> bool {
    trigger.metadata.iter().any(|(key, value)| key.ends_with("FromEnv") && !value.trim().is_empty())
}

/// Whether the trigger says all about itself: neither the target's environment nor an authentication adds to it.
fn is_self_contained(trigger: &ScaleTriggers) -> bool {
    let reference = trigger.authentication_ref.as_ref();
    reference.is_none_or(|reference| reference.name.is_empty())
        && !trigger.metadata.keys().any(|key| key.ends_with("FromEnv"))
}
