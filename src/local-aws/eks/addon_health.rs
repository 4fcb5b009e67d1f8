//! Whether an addon's pods can run, and the status that follows from it.

use serde_json::{Value, json};

use super::input::text;
use super::spec;
use super::store::{Addon, Cluster};

impl Addon {
    fn is_for_fargate(&self) -> bool {
        let configuration = self.configuration.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        configuration
            .as_ref()
            .and_then(|value| text(value, "computeType"))
            .is_some_and(|kind| kind.eq_ignore_ascii_case("fargate"))
    }
}

/// Whether CoreDNS's pods can run: made for Fargate, and an ACTIVE profile takes `kube-system`.
fn can_run(cluster: &Cluster, addon: &Addon) -> bool {
    addon.is_for_fargate() && for_namespace(cluster, "kube-system")
}

fn for_namespace(cluster: &Cluster, namespace: &str) -> bool {
    spec::profiles(cluster).iter().flat_map(|profile| &profile.selectors).any(|selector| selector.is_of(namespace))
}

/// Judges settled addons again after something has changed.
pub(super) fn reassess(cluster: &mut Cluster) {
    let settled: Vec<_> = cluster
        .addons
        .values()
        .filter(|addon| matches!(addon.status, "ACTIVE" | "DEGRADED"))
        .map(|one| one.name.clone())
        .collect();
    for name in settled {
        assess(cluster, &name, true);
    }
}

/// ACTIVE if its pods can run; otherwise DEGRADED if it has been given its time.
pub(super) fn assess(cluster: &mut Cluster, name: &str, late: bool) {
    let fine = cluster.addons.get(name).is_some_and(|addon| can_run(cluster, addon));
    let Some(addon) = cluster.addons.get_mut(name).filter(|addon| addon.status != "DELETING") else { return };
    if fine {
        addon.status = "ACTIVE";
        addon.issues.clear();
    } else if late {
        addon.status = "DEGRADED";
        addon.issues = vec![json!({
            "code": "InsufficientNumberOfReplicas",
            "message": "The add-on is unhealthy because it doesn't have the desired number of replicas.",
            "resourceIds": [],
        })];
    }
}
