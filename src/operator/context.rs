//! The handles that every part of the operator shares.

use std::path::PathBuf;
use std::sync::Arc;

use clock::Clock;
use kube::Client;
use scalers::Authorities;
use scalers::aws_identity::Identities;
use scalers::services::Services;
use tokio::sync::Semaphore;

use crate::caches::Caches;
use crate::environment::Values;
use crate::events::Recorder;
use crate::failures::Failures;
use crate::kubernetes::View;
use crate::settings::Settings;
use crate::sources::Sources;
use crate::telemetry::Telemetry;

/// Polls under way at the same time while sources answer in time. Each takes a connection and its buffers.
const POLLS: usize = 32;

/// Made once, by [`crate::run`].
pub(crate) struct Context {
    /// For the leader's work: its writes are refused while this process does not lead.
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) caches: Caches,
    pub(crate) recorder: Recorder,
    pub(crate) telemetry: Arc<Telemetry>,
    /// What all scalers share.
    pub(crate) services: Arc<Services>,
    pub(crate) sources: Sources,
    /// What requests of the HPA found and no poll has counted yet.
    pub(crate) failures: Failures,
    /// Bounds the reconciles that run at the same time.
    pub(crate) reconciles: Semaphore,
    /// Polls that begin at the same time do not run at the same time, as far as they end soon.
    pub(crate) polls: Semaphore,
    /// Where ClusterTriggerAuthentications find their Secrets and ConfigMaps.
    pub(crate) cluster_object_namespace: String,
    /// Where ClusterTriggerAuthentications find their files.
    pub(crate) credential_files: Option<PathBuf>,
    /// ConfigMaps and Secrets, as far as they may be read.
    pub(crate) values: Arc<Values>,
}

impl Context {
    pub(crate) fn new(
        client: Client,
        caches: Caches,
        identities: Identities,
        settings: &Settings,
        clock: Clock,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        let failures = Failures::new(clock.clone());
        let authorities = Authorities::of(&settings.authorities);
        let values = Arc::new(Values::new(
            client.clone(),
            settings.restricts_secrets.then(|| settings.cluster_object_namespace.clone()),
            Arc::clone(&caches.inputs),
        ));
        let view = Arc::new(View::new(client.clone(), Arc::clone(&values)));
        Self {
            values,
            recorder: Recorder::new(client.clone(), clock.clone(), &settings.identity),
            services: Arc::new(Services::new(identities, view, clock.clone()).trusting(authorities)),
            client,
            clock,
            caches,
            telemetry,
            sources: Sources::default(),
            failures,
            reconciles: Semaphore::new(settings.reconciles_max),
            polls: Semaphore::new(POLLS),
            cluster_object_namespace: settings.cluster_object_namespace.clone(),
            credential_files: settings.credential_files.clone(),
        }
    }
}
