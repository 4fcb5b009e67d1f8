//! The targets that scenarios run on, what each needs, and what only it can do.

use std::ffi::OsString;

use crate::scenarios::env;

/// Where scenarios run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suite {
    /// Sluice's own AWS and its own Kubernetes.
    Local,
    /// Sluice's own AWS and a real Kubernetes.
    Kubernetes,
    /// LocalStack and a real Kubernetes.
    Localstack,
}

impl Suite {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Kubernetes => "kubernetes",
            Self::Localstack => "localstack",
        }
    }

    /// The variables that must be set for it.
    fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Local => &[],
            Self::Kubernetes => &[env::KUBECONFIG, env::TRUST, env::BIND],
            Self::Localstack => &[env::KUBECONFIG, env::LOCALSTACK_IMAGE],
        }
    }

    /// What is not there.
    pub(crate) fn missing(self) -> Vec<&'static str> {
        self.needs().iter().copied().filter(|name| env::get(name).is_none()).collect()
    }

    /// Whether policies decide there.
    pub(crate) fn enforces_identity(self) -> bool {
        self != Self::Localstack
    }

    pub(crate) fn is_real_kubernetes(self) -> bool {
        self != Self::Local
    }

    /// What every command of the suite is given.
    pub(crate) fn variables(self, context: Option<&str>) -> Vec<(String, OsString)> {
        let mut variables: Vec<(String, OsString)> = Vec::new();
        for name in [env::KUBECONFIG, env::LOCALSTACK_IMAGE] {
            let wanted = self.needs().contains(&name);
            variables.extend(env::get(name).filter(|_| wanted).map(|value| (name.to_owned(), value)));
        }
        variables.extend(context.map(|context| ("SLUICE_CONTEXT".to_owned(), context.into())));
        if self == Self::Localstack {
            variables.push(("SLUICE_TARGET".to_owned(), "localstack".into()));
        }
        variables
    }

    /// The stack file: the tutorial's shape everywhere, shorter where time cannot be made faster. The periods are about the
    /// shortest that the checks can still evaluate: one worker alone must not bring nine messages to six (which need two replicas
    /// only) before the HPA has looked, and it looks every 15 s.
    pub(crate) fn stack_file(self) -> &'static str {
        match self {
            Self::Local => {
                "workloads:\n- scaling: { cooldownPeriod: 150, scaleDownWindow: 150 }\n  queue: { visibilityTimeout: 90 }\n"
            }
            Self::Kubernetes | Self::Localstack => {
                "workloads:\n- scaling: { pollingInterval: 2, cooldownPeriod: 12, scaleDownWindow: 22 }\n  \
                 worker: { workSeconds: 6, waitSeconds: 5 }\n  queue: { visibilityTimeout: 15 }\n"
            }
        }
    }

    /// How much faster than real time it runs.
    pub(crate) fn time_scale(self) -> f64 {
        match self {
            Self::Local => 30.0,
            Self::Kubernetes | Self::Localstack => 1.0,
        }
    }
}
