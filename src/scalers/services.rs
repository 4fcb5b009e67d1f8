//! What all scalers of a process share, so that a thousand triggers cost no more than the sources that they read.

use std::sync::Arc;

use clock::Clock;

use crate::authorities::Authorities;
use crate::aws_identity::Identities;
use crate::connections::Connections;
use crate::kubernetes::Kubernetes;
use crate::reads::Reads;

/// Made once per process.
pub struct Services {
    /// By which reads are bounded and values grow old.
    pub clock: Clock,
    /// As whom triggers call their sources.
    pub providers: Providers,
    /// Clients and connections, by address and credentials.
    pub connections: Connections,
    /// What there is in the cluster.
    pub kubernetes: Arc<dyn Kubernetes>,
    /// What was read lately, by source.
    pub reads: Reads,
    /// Whom triggers trust beside the system's certificates and those that they name.
    pub authorities: Authorities,
}

/// The identities, by provider.
pub struct Providers {
    /// AWS.
    pub aws: Identities,
}

impl Services {
    /// With the operator's identities, and with `kubernetes` to look into the cluster.
    pub fn new(aws: Identities, kubernetes: Arc<dyn Kubernetes>, clock: Clock) -> Self {
        Self {
            providers: Providers { aws },
            connections: Connections::default(),
            kubernetes,
            reads: Reads::new(clock.clone()),
            authorities: Authorities::default(),
            clock,
        }
    }

    /// The same with these authorities.
    #[must_use]
    pub fn trusting(self, authorities: Authorities) -> Self {
        Self { authorities, ..self }
    }
}
