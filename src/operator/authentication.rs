//! What a trigger's `authenticationRef` gives it: parameters and a pod identity.
//!
//! Unlike KEDA 2.14, a (Cluster)TriggerAuthentication that is not there is an error that names it, not a scaler without
//! credentials (`docs/rules.md#keda-triggerauthentications`).

mod files;
mod token;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use clock::Moment;
use k8s_openapi::api::core::v1::{PodSpec, ServiceAccount};
use keda::api::{AuthPodIdentity, AuthTargetRef, AuthenticationRef, TriggerAuthenticationSpec};
use keda::validate;
use kube::Api;
use scalers::kubernetes::Holder;
use scalers::{ROLE_ARN_ANNOTATION, Workload};

use crate::context::Context;
use crate::environment::Environment;
use crate::error::is_not_found;
use crate::inputs::{self, Seen};
use crate::key::{Key, Reference};
use crate::sources::TriggerError;

/// The kind whose objects serve all namespaces.
pub(crate) const CLUSTER_KIND: &str = "ClusterTriggerAuthentication";
/// The kind whose objects serve their own namespace.
pub(crate) const KIND: &str = "TriggerAuthentication";

/// What was found, and why parameters are missing.
#[derive(Debug, Default)]
pub(crate) struct Authentication {
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) pod_identity: Option<AuthPodIdentity>,
    pub(crate) problems: Vec<String>,
    /// When they are to be read anew.
    pub(crate) until: Option<Moment>,
}

/// Resolves `reference` for a trigger of `user`. `pods` gives those of its target; it is asked only where
/// the authentication takes variables from them.
///
/// # Errors
///
/// [`TriggerError::AuthenticationKind`] if the reference names neither kind. [`TriggerError::NoAuthentication`] if
/// there is no such object. [`TriggerError::Authentication`] if the object breaks a rule. [`TriggerError::CredentialFile`] if the file that
/// it names cannot be used. What `pods` fails with.
pub(crate) async fn resolve<'a>(
    context: &Context,
    user: &Reference,
    reference: Option<&AuthenticationRef>,
    pods: impl AsyncFnOnce() -> Result<Option<&'a PodSpec>, Arc<TriggerError>>,
) -> Result<Authentication, Arc<TriggerError>> {
    let Some(reference) = reference.filter(|reference| !reference.name.is_empty()) else {
        return Ok(Authentication::default());
    };
    let (name, namespace) = (&reference.name, user.key.namespace.as_str());
    let caches = &context.caches;
    let (kind, home, spec) = match reference.kind.as_deref().unwrap_or_default() {
        "" | KIND => {
            let found = caches.authentications.object(&Key::new(namespace, name));
            (KIND, namespace, found.map(|found| found.spec.clone()))
        }
        CLUSTER_KIND => {
            let found = caches.cluster_authentications.object(&Key::new("", name));
            (CLUSTER_KIND, context.cluster_object_namespace.as_str(), found.map(|found| found.spec.0.clone()))
        }
        other => return Err(Arc::new(TriggerError::AuthenticationKind(other.to_owned()))),
    };
    let Some(spec) = spec else {
        let namespace = (kind == KIND).then(|| namespace.to_owned());
        return Err(Arc::new(TriggerError::NoAuthentication { kind, name: name.clone(), namespace }));
    };
    validate::authentication(kind, name, &spec).map_err(|error| Arc::new(TriggerError::Authentication(error)))?;
    if let Some(path) = spec.file_path() {
        let parameters = files::parameters(context.credential_files.as_deref(), path).await;
        let parameters = parameters.map_err(|problem| {
            Arc::new(TriggerError::CredentialFile { name: name.clone(), path: path.to_owned(), problem })
        })?;
        return Ok(Authentication { parameters, pod_identity: spec.pod_identity, ..Authentication::default() });
    }
    let pods = if spec.env.is_empty() { None } else { pods().await? };
    Ok(read(context, user, home, spec, pods).await)
}

/// Sources in KEDA's order; a later one replaces the parameter of an earlier one.
async fn read(
    context: &Context,
    user: &Reference,
    home: &str,
    spec: TriggerAuthenticationSpec,
    pods: Option<&PodSpec>,
) -> Authentication {
    let mut found = Authentication { pod_identity: spec.pod_identity, ..Authentication::default() };
    // Each container's once, however many variables of it are wanted.
    let mut environments = BTreeMap::new();
    for wanted in &spec.env {
        let name = wanted.container_name.as_deref();
        let environment = match environments.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(environment(context, user, pods, name).await),
        };
        if let Some(value) = environment.variables.get(&wanted.name) {
            found.parameters.insert(wanted.parameter.clone(), value.clone());
        } else {
            found.problems.push(format!("the target's container has no variable {}", wanted.name));
            found.problems.extend(environment.problems.iter().cloned());
        }
    }
    found.take(context, user, home, Holder::ConfigMap, &spec.config_map_target_ref).await;
    found.take(context, user, home, Holder::Secret, &spec.secret_target_ref).await;
    for wanted in &spec.bound_service_account_token {
        match token::of(context.client.clone(), &context.clock, home, &wanted.service_account_name).await {
            Ok(token) => {
                found.parameters.insert(wanted.parameter.clone(), token.text);
                found.until = Some(found.until.map_or(token.until, |until| until.min(token.until)));
            }
            Err(problem) => found.problems.push(problem),
        }
    }
    found
}

/// The environment of the container that `name` means. Why it cannot be had is among its problems.
async fn environment(context: &Context, user: &Reference, pods: Option<&PodSpec>, name: Option<&str>) -> Environment {
    match container(pods, name) {
        Ok(Some(container)) => Environment::resolve(&context.values, user, &user.key.namespace, container).await,
        Ok(None) => Environment::default(),
        Err(error) => Environment { problems: vec![error.to_string()], ..Environment::default() },
    }
}

impl Authentication {
    async fn take(
        &mut self,
        context: &Context,
        user: &Reference,
        home: &str,
        holder: Holder,
        wanted: &[AuthTargetRef],
    ) {
        for AuthTargetRef { parameter, name, key } in wanted {
            match context.values.data(user, home, holder, name).await {
                Ok(mut data) => match data.remove(key) {
                    Some(value) => {
                        self.parameters.insert(parameter.clone(), value);
                    }
                    None => self.problems.push(format!("{holder:?} {home}/{name} has no key {key}")),
                },
                Err(error) => self.problems.push(error.to_string()),
            }
        }
    }
}

/// The container that `name` means, the first if none is named.
pub(crate) fn container<'a>(
    pods: Option<&'a PodSpec>,
    name: Option<&str>,
) -> Result<Option<&'a k8s_openapi::api::core::v1::Container>, TriggerError> {
    let Some(pods) = pods else { return Ok(None) };
    match name.filter(|name| !name.is_empty()) {
        None => Ok(pods.containers.first()),
        Some(name) => match pods.containers.iter().find(|container| container.name == name) {
            Some(container) => Ok(Some(container)),
            None => Err(TriggerError::Container(name.to_owned())),
        },
    }
}

/// The workload's ServiceAccount and the role that it names; read only where a trigger's identity depends on it.
pub(crate) async fn workload(
    context: &Context,
    user: &Reference,
    pods: Option<&PodSpec>,
) -> Result<Workload, Arc<TriggerError>> {
    let named = pods.and_then(|pods| pods.service_account_name.as_deref()).filter(|name| !name.is_empty());
    let (name, namespace) = (named.unwrap_or("default"), user.key.namespace.as_str());
    let input = Reference { kind: inputs::SERVICE_ACCOUNT, key: Key::new(namespace, name) };
    // Before it is read, so that no change is missed.
    context.caches.inputs.uses(user, &input, Seen::Unknown);
    let accounts: Api<ServiceAccount> = Api::namespaced(context.client.clone(), namespace);
    let service_account = format!("{namespace}/{name}");
    let found = match accounts.get(name).await {
        Ok(found) => found,
        Err(source) => {
            if is_not_found(&source) {
                context.caches.inputs.uses(user, &input, Seen::Absent);
            }
            return Err(Arc::new(TriggerError::ServiceAccount { name: service_account, source }));
        }
    };
    context.caches.inputs.uses(user, &input, inputs::version(&found.metadata).map_or(Seen::Unknown, Seen::At));
    let role_arn = found.metadata.annotations.and_then(|mut annotations| annotations.remove(ROLE_ARN_ANNOTATION));
    Ok(Workload { service_account, role_arn })
}

#[cfg(test)]
mod tests;
