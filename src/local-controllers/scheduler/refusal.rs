//! What Fargate does not run, said as its scheduler says it.
//!
//! The words are those that users report (kubernetes-sigs/aws-efs-csi-driver#589, kubernetes-sigs/aws-ebs-csi-driver#810,
//! freegroup/kube-s3#14, frappe/frappe_docker#1182); what is refused is in <https://docs.aws.amazon.com/eks/latest/userguide/fargate.html>.
//! For resources no report was found; those words are ours.

use serde_json::Value;

use super::fargate;
use crate::object::{flag, integer, items, strings, text};

/// Volumes that need nothing outside the pod.
const VOLUMES: [&str; 5] = ["configMap", "downwardAPI", "emptyDir", "projected", "secret"];
/// A capability that pods of Fargate may add: ingress-nginx's manifest asks for it, and was refused for another field
/// only (kubernetes/ingress-nginx#4888).
const CAPABILITY: &str = "NET_BIND_SERVICE";
/// The driver of the only persistent volumes.
const EFS: &str = "efs.csi.aws.com";
/// Resources that a container may ask for.
const RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// What is known of the claim of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is not there or waits for a volume.
    Unbound,
    /// Its volume, and the volume's CSI driver; empty for volumes without one.
    Bound { volume: String, driver: String },
}

/// Why Fargate does not run this pod; none if it does. `claim` finds what a claim stands for.
pub(super) fn reason(pod: &Value, claim: impl Fn(&str) -> Claim) -> Option<String> {
    let parts = [fields(pod), security(pod), ports(pod), volumes(pod, claim), resources(pod)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("Pod not supported on Fargate: {}", parts.join(", ")))
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["/spec/initContainers", "/spec/containers"].into_iter().flat_map(|list| items(pod, list))
}

fn fields(pod: &Value) -> Option<String> {
    let known = [("hostNetwork", "HostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")];
    let used = known.iter().filter(|(field, _)| flag(pod, &format!("/spec/{field}"))).map(|(_, name)| *name);
    listed("fields not supported", &used.map(str::to_owned).collect::<Vec<_>>())
}

fn security(pod: &Value) -> Option<String> {
    let privileged = containers(pod).any(|one| flag(one, "/securityContext/privileged"));
    let added = containers(pod).flat_map(|one| items(one, "/securityContext/capabilities/add"));
    let added: Vec<&str> =
        added.filter_map(Value::as_str).filter(|one| one.trim_start_matches("CAP_") != CAPABILITY).collect();
    let added = (!added.is_empty()).then(|| format!("Capabilities added: {}", added.join(", ")));
    let parts: Vec<String> = privileged.then(|| "Privileged".to_owned()).into_iter().chain(added).collect();
    listed("invalid SecurityContext fields", &parts)
}

fn ports(pod: &Value) -> Option<String> {
    let mut ports = containers(pod).flat_map(|one| items(one, "/ports"));
    let of_the_host = |port: &Value| integer(port, "/hostPort").unwrap_or(0) != 0 || !text(port, "/hostIP").is_empty();
    ports.any(of_the_host).then(|| "port contains HostIP or HostPort".to_owned())
}

fn volumes(pod: &Value, claim: impl Fn(&str) -> Claim) -> Option<String> {
    let refused = items(pod, "/spec/volumes").iter().filter_map(|volume| {
        let name = text(volume, "/name");
        let claimed = text(volume, "/persistentVolumeClaim/claimName");
        if !claimed.is_empty() {
            return match claim(claimed) {
                Claim::Unbound => Some(format!("{name} not supported because: PVC {claimed} not bound")),
                Claim::Bound { driver, .. } if driver == EFS => None,
                Claim::Bound { volume, driver } => {
                    let with = if driver.is_empty() { String::new() } else { format!(" with CSI Driver: {driver}") };
                    Some(format!("{name} not supported because: PVC {claimed} bound to invalid PV {volume}{with}"))
                }
            };
        }
        // Without any kind it is an emptyDir.
        let plain = volume.as_object().is_some_and(|volume| volume.len() == 1);
        let supported = plain || VOLUMES.iter().any(|kind| volume.get(kind).is_some());
        (!supported).then(|| format!("{name} is of an unsupported volume Type"))
    });
    listed("volumes not supported", &refused.collect::<Vec<_>>())
}

fn resources(pod: &Value) -> Option<String> {
    let mut refused: Vec<String> = Vec::new();
    for container in containers(pod) {
        for list in ["limits", "requests"] {
            let requested = strings(container, &format!("/resources/{list}")).into_keys();
            let other = requested.filter(|name| !RESOURCES.contains(&name.as_str()) && !name.starts_with("hugepages-"));
            refused.extend(other.filter(|name| !refused.contains(name)).collect::<Vec<_>>());
        }
    }
    refused.extend(fargate::excess(pod));
    listed("resources not supported", &refused)
}

fn listed(title: &str, parts: &[String]) -> Option<String> {
    (!parts.is_empty()).then(|| format!("{title}: {}", parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(spec: &Value) -> Option<String> {
        reason(&json!({"spec": spec}), |name| match name {
            "efs" => Claim::Bound { volume: "pv-1".to_owned(), driver: EFS.to_owned() },
            "disk" => Claim::Bound { volume: "pv-2".to_owned(), driver: "ebs.csi.aws.com".to_owned() },
            "path" => Claim::Bound { volume: "pv-3".to_owned(), driver: String::new() },
            _ => Claim::Unbound,
        })
    }

    #[test]
    fn what_fargate_does_not_run_is_refused_in_its_words() {
        let container = |more: Value| json!({"containers": [more]});
        let volume = |kind: Value| json!({"volumes": [kind], "containers": [{}]});
        for (spec, words) in [
            (json!({"hostNetwork": true, "containers": [{}]}), "fields not supported: HostNetwork"),
            (json!({"hostPID": true, "hostIPC": true, "containers": [{}]}), "fields not supported: HostPID, HostIPC"),
            (container(json!({"securityContext": {"privileged": true}})), "invalid SecurityContext fields: Privileged"),
            (
                container(json!({"securityContext": {"capabilities": {"add": ["CAP_CHOWN", "NET_BIND_SERVICE"]}}})),
                "invalid SecurityContext fields: Capabilities added: CAP_CHOWN",
            ),
            (container(json!({"ports": [{"containerPort": 80, "hostPort": 80}]})), "port contains HostIP or HostPort"),
            (
                volume(json!({"name": "sock", "hostPath": {"path": "/var/run"}})),
                "volumes not supported: sock is of an unsupported volume Type",
            ),
            (
                volume(json!({"name": "data", "persistentVolumeClaim": {"claimName": "new"}})),
                "volumes not supported: data not supported because: PVC new not bound",
            ),
            (
                volume(json!({"name": "data", "persistentVolumeClaim": {"claimName": "disk"}})),
                "volumes not supported: data not supported because: PVC disk bound to invalid PV pv-2 with CSI Driver: \
                 ebs.csi.aws.com",
            ),
            (
                volume(json!({"name": "data", "persistentVolumeClaim": {"claimName": "path"}})),
                "volumes not supported: data not supported because: PVC path bound to invalid PV pv-3",
            ),
            (
                container(json!({"resources": {"limits": {"nvidia.com/gpu": "1"}}})),
                "resources not supported: nvidia.com/gpu",
            ),
            (
                container(json!({"resources": {"requests": {"cpu": "17"}}})),
                "resources not supported: 17 vCPU is more than the largest size, 16vCPU 120GB",
            ),
        ] {
            assert_eq!(said(&spec).as_deref(), Some(format!("Pod not supported on Fargate: {words}").as_str()));
        }
    }

    #[test]
    fn all_reasons_are_given_at_once_and_init_containers_count() {
        let spec = json!({"hostNetwork": true, "initContainers": [{"securityContext": {"privileged": true}}],
            "containers": [{"ports": [{"hostPort": 1}]}]});
        let words = "Pod not supported on Fargate: fields not supported: HostNetwork, invalid SecurityContext fields: \
                     Privileged, port contains HostIP or HostPort";
        assert_eq!(said(&spec).as_deref(), Some(words));
    }

    #[test]
    fn what_fargate_runs_is_not_refused() {
        assert_eq!(
            said(&json!({"containers": [{"ports": [{"containerPort": 8080}], "resources": {
            "requests": {"cpu": "16", "memory": "100Gi"}, "limits": {"ephemeral-storage": "1Gi"}}}],
            "volumes": [{"name": "a"}, {"name": "b", "emptyDir": {}}, {"name": "c", "projected": {}},
                        {"name": "d", "persistentVolumeClaim": {"claimName": "efs"}}]})),
            None
        );
    }
}
