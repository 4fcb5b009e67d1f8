//! The certificates of the external metrics API: made here, shared by all replicas in a Secret, renewed in time, and given to
//! the API server through the caBundle of the APIService, and of the admission webhooks where there are any.

mod bundle;
#[cfg(test)]
mod tests;
mod webhooks;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bundle::Bundle;
use clock::Clock;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde_json::json;

use crate::error::{self, Error, Result, brief};
use crate::settings::Settings;

/// How often the Secret and the APIService are looked at, real time.
const CHECK_PERIOD: Duration = Duration::from_secs(15);
/// The same while something is not as it should be.
const RETRY_PERIOD: Duration = Duration::from_secs(1);
/// Attempts to write the Secret against other replicas before giving up for this round.
const ATTEMPTS_MAX: usize = 5;

/// The certificate that is served now; replaced without a restart.
#[derive(Clone, Default)]
pub(crate) struct Serving(Arc<RwLock<Option<Arc<CertifiedKey>>>>);

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serving")
    }
}

impl Serving {
    fn set(&self, key: Arc<CertifiedKey>) {
        if let Ok(mut current) = self.0.write() {
            *current = Some(key);
        }
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().ok()?.clone()
    }
}

/// Keeps Secret, served certificate and caBundle in step.
pub(crate) struct Renewal {
    client: Client,
    namespace: String,
    secret: String,
    service: String,
    api_service: String,
    names: Vec<String>,
    clock: Clock,
    serving: Serving,
    served: Option<Bundle>,
}

impl Renewal {
    pub(crate) fn new(client: Client, settings: &Settings, clock: Clock) -> Self {
        Self {
            client,
            namespace: settings.namespace.clone(),
            secret: settings.certificate_secret.clone(),
            service: settings.metrics_service.clone(),
            api_service: settings.api_service.clone(),
            names: settings.metrics_service_names(),
            clock,
            serving: Serving::default(),
            served: None,
        }
    }

    /// What the TLS server resolves its certificate with.
    pub(crate) fn serving(&self) -> Serving {
        self.serving.clone()
    }

    /// Makes or loads the certificates; the server can start after this.
    pub(crate) async fn prepare(&mut self) -> Result<()> {
        let bundle = self.load_or_make().await?;
        self.serve(bundle)
    }

    /// Runs for ever: re-reads the Secret, renews, and keeps the APIService's caBundle right.
    pub(crate) async fn keep(mut self) {
        loop {
            let period = match self.check().await {
                Ok(()) => CHECK_PERIOD,
                Err(error) => {
                    tracing::warn!(error = %error, "certificates are not as they should be; trying again");
                    RETRY_PERIOD
                }
            };
            self.clock.sleep(self.clock.to_system(period)).await;
        }
    }

    async fn check(&mut self) -> Result<()> {
        let bundle = self.load_or_make().await?;
        if self.served.as_ref() != Some(&bundle) {
            tracing::info!(secret = %self.secret, "serving a new certificate");
            self.serve(bundle)?;
        }
        self.publish().await?;
        self.publish_to_webhooks().await
    }

    fn serve(&mut self, bundle: Bundle) -> Result<()> {
        self.serving.set(bundle.certified_key().map_err(Error::certificate("use the serving certificate"))?);
        self.served = Some(bundle);
        Ok(())
    }

    /// The bundle in the Secret; a new one is made and written if it is missing, unreadable or about to expire.
    async fn load_or_make(&self) -> Result<Bundle> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        for _ in 0..ATTEMPTS_MAX {
            let found =
                secrets.get_opt(&self.secret).await.map_err(Error::kubernetes("read the certificate secret"))?;
            let old = found.as_ref().and_then(|secret| Bundle::from_data(secret.data.as_ref()?));
            if let Some(bundle) = old.as_ref().filter(|bundle| bundle.is_good(&self.names, self.clock.now())) {
                return Ok(bundle.clone());
            }
            let made = Bundle::make(&self.names, self.clock.now(), old.as_ref())
                .map_err(Error::certificate("make the serving certificate"))?;
            let wanted = self.secret_with(found, &made);
            let written = if wanted.metadata.resource_version.is_some() {
                secrets.replace(&self.secret, &PostParams::default(), &wanted).await
            } else {
                secrets.create(&PostParams::default(), &wanted).await
            };
            match written {
                Ok(_) => {
                    tracing::info!(secret = %self.secret, "made new certificates");
                    return Ok(made);
                }
                // Another replica was faster; its certificates are as good.
                Err(error) if error::is_conflict(&error) => {}
                Err(error) => return Err(Error::kubernetes("write the certificate secret")(error)),
            }
        }
        Err(Error::certificate("write the certificate secret")("it changes faster than it can be written"))
    }

    fn secret_with(&self, found: Option<Secret>, bundle: &Bundle) -> Secret {
        let mut secret = found.unwrap_or_else(|| Secret {
            metadata: ObjectMeta {
                name: Some(self.secret.clone()),
                namespace: Some(self.namespace.clone()),
                labels: Some(BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), "keda-operator".to_owned())])),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        });
        let data = secret.data.get_or_insert_default();
        data.extend(bundle.to_data().into_iter().map(|(key, pem)| (key.to_owned(), ByteString(pem.into_bytes()))));
        secret
    }

    /// Writes the CA into the APIService if it says something else.
    async fn publish(&self) -> Result<()> {
        let Some(bundle) = &self.served else { return Ok(()) };
        let services: Api<APIService> = Api::all(self.client.clone());
        for _ in 0..ATTEMPTS_MAX {
            let found = services.get(&self.api_service).await.map_err(Error::kubernetes("read the APIService"))?;
            let spec = found.spec.clone().unwrap_or_default();
            let owner = spec.service.as_ref().and_then(|service| service.name.as_deref());
            if owner != Some(&self.service) {
                let owner = owner.unwrap_or("nobody");
                return Err(Error::certificate("publish the CA")(format!(
                    "APIService {} belongs to {owner}, not to {}; only one server can own external metrics",
                    self.api_service, self.service
                )));
            }
            if spec.ca_bundle.as_ref().is_some_and(|ca| ca.0 == bundle.authority_pem.as_bytes()) {
                return Ok(());
            }
            let patch = json!({
                "metadata": { "resourceVersion": found.metadata.resource_version },
                "spec": { "caBundle": ByteString(bundle.authority_pem.clone().into_bytes()) },
            });
            match services.patch(&self.api_service, &PatchParams::default(), &Patch::Merge(&patch)).await {
                Ok(_) => {
                    tracing::info!(api_service = %self.api_service, "wrote the CA into the APIService");
                    return Ok(());
                }
                Err(error) if error::is_conflict(&error) => {
                    tracing::debug!(error = %brief(&error), "the APIService changed meanwhile");
                }
                Err(error) => return Err(Error::kubernetes("write the CA into the APIService")(error)),
            }
        }
        Err(Error::certificate("publish the CA")("the APIService changes faster than it can be written"))
    }
}
