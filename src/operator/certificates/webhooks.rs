//! The CA of the admission webhooks. They are no part of the operator's manifests (`docs/admission-webhooks.yaml` has them), so
//! there may be none, or those of somebody else.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::Renewal;
use crate::error::{Error, Result, is_conflict};

/// The name of the configuration, as with KEDA.
const NAME: &str = "keda-admission";

impl Renewal {
    /// Writes the CA into the webhooks that call this operator, if it is not there.
    pub(super) async fn publish_to_webhooks(&self) -> Result<()> {
        let Some(bundle) = &self.served else { return Ok(()) };
        let api: Api<ValidatingWebhookConfiguration> = Api::all(self.client.clone());
        let found = api.get_opt(NAME).await.map_err(Error::kubernetes("read the admission webhooks"))?;
        let Some(mut found) = found else { return Ok(()) };
        let ca = ByteString(bundle.authority_pem.clone().into_bytes());
        let mut has_changed = false;
        for webhook in found.webhooks.iter_mut().flatten() {
            let service = webhook.client_config.service.as_ref();
            let is_own =
                service.is_some_and(|service| service.name == self.service && service.namespace == self.namespace);
            if is_own && webhook.client_config.ca_bundle.as_ref() != Some(&ca) {
                webhook.client_config.ca_bundle = Some(ca.clone());
                has_changed = true;
            }
        }
        if !has_changed {
            return Ok(());
        }
        let patch = json!({
            "metadata": { "resourceVersion": found.metadata.resource_version },
            "webhooks": found.webhooks,
        });
        match api.patch(NAME, &PatchParams::default(), &Patch::Merge(&patch)).await {
            Ok(_) => tracing::info!(webhooks = NAME, "wrote the CA into the admission webhooks"),
            // The next look sees the newer one.
            Err(error) if is_conflict(&error) => {}
            Err(error) => return Err(Error::kubernetes("write the CA into the admission webhooks")(error)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clock::Clock;
    use serde_json::Value;

    use super::*;
    use crate::scripted::Server;
    use crate::settings::Settings;

    const PATH: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/keda-admission";

    fn webhook(name: &str, service: &str) -> Value {
        json!({
            "name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": { "service": { "name": service, "namespace": "keda", "path": "/x" } },
        })
    }

    #[tokio::test]
    async fn the_ca_comes_into_our_webhooks_and_no_others() {
        let webhooks =
            [webhook("ours", "keda-operator-metrics-apiserver"), webhook("theirs", "keda-admission-webhooks")];
        let server = Server::start([(PATH, json!({ "metadata": { "name": NAME }, "webhooks": webhooks }))], |_| None);
        let mut renewal = Renewal::new(server.client(), &Settings::default(), Clock::real());
        renewal.prepare().await.unwrap();
        renewal.publish_to_webhooks().await.unwrap();
        let after = server.object(PATH).unwrap();
        let ca = |index: usize| after["webhooks"][index]["clientConfig"]["caBundle"].as_str();
        assert!(ca(0).is_some(), "{after}");
        assert_eq!(ca(1), None);
        // Once is enough.
        let written = server.object(PATH).unwrap()["metadata"]["resourceVersion"].clone();
        renewal.publish_to_webhooks().await.unwrap();
        assert_eq!(server.object(PATH).unwrap()["metadata"]["resourceVersion"], written);
    }

    #[tokio::test]
    async fn a_cluster_without_webhooks_is_in_order() {
        let server = Server::start([], |_| None);
        let mut renewal = Renewal::new(server.client(), &Settings::default(), Clock::real());
        renewal.prepare().await.unwrap();
        renewal.publish_to_webhooks().await.unwrap();
    }
}
