//! The environment of the target's container, as far as triggers may read it
//! (`docs/rules.md#keda-environment-of-the-target`): `envFrom` with prefix first, then `env`; fields of the pod are not
//! known here.
//!
//! A variable that cannot be resolved is absent, and why is kept: it concerns only a trigger that asks for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvFromSource, EnvVarSource, Secret};
use kube::api::ObjectMeta;
use kube::{Api, Client};
use scalers::kubernetes::Holder;

use crate::env::KEDA_RESTRICT_SECRET_ACCESS;
use crate::error::{brief, is_not_found};
use crate::inputs::{self, Inputs, Seen};
use crate::key::{Key, Reference};

/// Variables by name, and why others are missing.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) problems: Vec<String>,
}

/// Why a ConfigMap or Secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("{holder:?} {namespace}/{name} cannot be read: {}", brief(source))]
    Call { holder: Holder, namespace: String, name: String, source: kube::Error },
    /// Secrets of that namespace are not read at all.
    #[error(
        "Secret {namespace}/{name} is not read, since {KEDA_RESTRICT_SECRET_ACCESS} restricts Secrets to namespace \
         {allowed}; put it there and use a ClusterTriggerAuthentication"
    )]
    Restricted { namespace: String, name: String, allowed: String },
}

impl Environment {
    /// The environment of `container` in `namespace`, for `user`.
    pub(crate) async fn resolve(values: &Values, user: &Reference, namespace: &str, container: &Container) -> Self {
        let mut environment = Self::default();
        for source in container.env_from.iter().flatten() {
            environment.take_all(values, user, namespace, source).await;
        }
        for variable in container.env.iter().flatten() {
            if let Some(source) = &variable.value_from {
                environment.take(values, user, namespace, &variable.name, source).await;
            } else {
                let text = variable.value.as_deref().unwrap_or_default();
                let value = expanded(text, &environment.variables);
                environment.variables.insert(variable.name.clone(), value);
            }
        }
        environment
    }

    async fn take_all(&mut self, values: &Values, user: &Reference, namespace: &str, source: &EnvFromSource) {
        let (holder, name, optional) = match (&source.config_map_ref, &source.secret_ref) {
            (Some(reference), _) => (Holder::ConfigMap, &reference.name, reference.optional),
            (None, Some(reference)) => (Holder::Secret, &reference.name, reference.optional),
            (None, None) => return,
        };
        let prefix = source.prefix.as_deref().unwrap_or_default();
        match values.data(user, namespace, holder, name).await {
            Ok(data) => {
                self.variables.extend(data.into_iter().map(|(key, value)| (format!("{prefix}{key}"), value)));
            }
            Err(_) if optional == Some(true) => {}
            Err(error) => self.problems.push(error.to_string()),
        }
    }

    async fn take(
        &mut self,
        values: &Values,
        user: &Reference,
        namespace: &str,
        variable: &str,
        source: &EnvVarSource,
    ) {
        let (holder, name, key, optional) = match (&source.config_map_key_ref, &source.secret_key_ref) {
            (Some(reference), _) => (Holder::ConfigMap, &reference.name, &reference.key, reference.optional),
            (None, Some(reference)) => (Holder::Secret, &reference.name, &reference.key, reference.optional),
            (None, None) => return,
        };
        match values.data(user, namespace, holder, name).await {
            Ok(mut data) => {
                self.variables.insert(variable.to_owned(), data.remove(key).unwrap_or_default());
            }
            Err(_) if optional == Some(true) => {}
            Err(error) => self.problems.push(error.to_string()),
        }
    }
}

/// ConfigMaps and Secrets, as far as they may be read.
pub(crate) struct Values {
    client: Client,
    /// The one namespace whose Secrets are read, if they are restricted.
    restricted_to: Option<String>,
    inputs: Arc<Inputs>,
}

impl Values {
    /// Those that `client` may read; Secrets only of one namespace if they are `restricted_to` it.
    pub(crate) fn new(client: Client, restricted_to: Option<String>, inputs: Arc<Inputs>) -> Self {
        Self { client, restricted_to, inputs }
    }

    /// What a ConfigMap or Secret holds as text; bytes that are no text are left out. `user` hears of its changes.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if the call fails, or Secrets of that namespace are not to be read.
    pub(crate) async fn data(
        &self,
        user: &Reference,
        namespace: &str,
        holder: Holder,
        name: &str,
    ) -> Result<BTreeMap<String, String>, Unreadable> {
        let inputs = &self.inputs;
        let kind = match holder {
            Holder::ConfigMap => inputs::CONFIG_MAP,
            Holder::Secret => inputs::SECRET,
        };
        let input = Reference { kind, key: Key::new(namespace, name) };
        if !self.is_restricted(namespace, holder) {
            // Before it is read, so that no change is missed.
            inputs.uses(user, &input, Seen::Unknown);
        }
        let read = self.read(namespace, holder, name).await;
        if matches!(&read, Err(Unreadable::Call { source, .. }) if is_not_found(source)) {
            inputs.uses(user, &input, Seen::Absent);
        }
        let (metadata, data) = read?;
        inputs.uses(user, &input, inputs::version(&metadata).map_or(Seen::Unknown, Seen::At));
        Ok(data)
    }

    /// The same for nobody who hears of its changes.
    pub(crate) async fn read(
        &self,
        namespace: &str,
        holder: Holder,
        name: &str,
    ) -> Result<(ObjectMeta, BTreeMap<String, String>), Unreadable> {
        if self.is_restricted(namespace, holder) {
            let allowed = self.restricted_to.clone().unwrap_or_default();
            return Err(Unreadable::Restricted { namespace: namespace.to_owned(), name: name.to_owned(), allowed });
        }
        let client = self.client.clone();
        match holder {
            Holder::ConfigMap => {
                let found = Api::<ConfigMap>::namespaced(client, namespace).get(name).await;
                found.map(|found| (found.metadata, found.data.unwrap_or_default()))
            }
            Holder::Secret => {
                let found = Api::<Secret>::namespaced(client, namespace).get(name).await;
                found.map(|found| (found.metadata, texts(found.data.unwrap_or_default())))
            }
        }
        .map_err(|source| Unreadable::Call {
            holder,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            source,
        })
    }

    /// Whether the object is one of the Secrets that are not read.
    fn is_restricted(&self, namespace: &str, holder: Holder) -> bool {
        holder == Holder::Secret && self.restricted_to.as_deref().is_some_and(|allowed| allowed != namespace)
    }
}

fn texts(data: BTreeMap<String, ByteString>) -> BTreeMap<String, String> {
    data.into_iter().filter_map(|(key, value)| Some((key, String::from_utf8(value.0).ok()?))).collect()
}

/// `$(NAME)` replaced from `variables`, `$$` by `$`; unknown names stay as they are written.
pub(crate) fn expanded(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some((name, tail)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match variables.get(name) {
                Some(value) => out.push_str(value),
                None => out.extend(["$(", name, ")"]),
            }
            rest = tail;
        } else {
            out.push('$');
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded_as_the_kubelet_does() {
        let variables = BTreeMap::from([("QUEUE".to_owned(), "orders".to_owned())]);
        let table = [
            ("https://sqs/1/$(QUEUE)", "https://sqs/1/orders"),
            ("$(QUEUE)$(QUEUE)", "ordersorders"),
            ("$$(QUEUE)", "$(QUEUE)"),
            ("$(NONE) costs 5$", "$(NONE) costs 5$"),
            ("$(QUEUE", "$(QUEUE"),
            ("", ""),
        ];
        for (text, wanted) in table {
            assert_eq!(expanded(text, &variables), wanted, "{text}");
        }
    }
}
