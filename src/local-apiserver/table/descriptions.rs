//! What the columns of built-in kinds mean, mostly in the words of the fields that they show.

use crate::openapi;

/// The text for a column of a kind; empty where the real server says nothing either.
pub(super) fn of(kind: &str, column: &str) -> String {
    let (owner, field) = match (kind, column) {
        ("Event", "Last Seen") => ("Event", "lastTimestamp"),
        ("Event", "First Seen") => ("Event", "firstTimestamp"),
        ("Event", "Object") => ("Event", "involvedObject"),
        ("Event", "Subobject") => ("ObjectReference", "fieldPath"),
        ("Event", "Type" | "Reason" | "Source" | "Message" | "Count") => {
            return described("Event", &column.to_lowercase());
        }
        (_, "Name") => ("ObjectMeta", "name"),
        (_, "Age" | "Created At") => ("ObjectMeta", "creationTimestamp"),
        ("ConfigMap" | "Secret", "Data") => (kind, "data"),
        ("Secret", "Type") => (kind, "type"),
        ("Endpoints", "Endpoints") => (kind, "subsets"),
        ("Node", "Version") => ("NodeSystemInfo", "kubeletVersion"),
        ("Node", "Internal-IP" | "External-IP") => ("NodeStatus", "addresses"),
        ("Node", "OS-Image") => ("NodeSystemInfo", "osImage"),
        ("Node", "Kernel-Version") => ("NodeSystemInfo", "kernelVersion"),
        ("Node", "Container-Runtime") => ("NodeSystemInfo", "containerRuntimeVersion"),
        ("Pod", "IP") => ("PodStatus", "podIP"),
        ("Pod", "Node") => ("PodSpec", "nodeName"),
        ("Pod", "Nominated Node") => ("PodStatus", "nominatedNodeName"),
        ("Pod", "Readiness Gates") => ("PodSpec", "readinessGates"),
        ("Service", "Type") => ("ServiceSpec", "type"),
        ("Service", "Cluster-IP") => ("ServiceSpec", "clusterIP"),
        ("Service", "External-IP") => ("ServiceSpec", "externalIPs"),
        ("Service", "Port(s)") => ("ServiceSpec", "ports"),
        ("Service", "Selector") => ("ServiceSpec", "selector"),
        ("Deployment", "Up-to-date") => ("DeploymentStatus", "updatedReplicas"),
        ("Deployment", "Available") => ("DeploymentStatus", "availableReplicas"),
        ("Deployment", "Selector") => ("DeploymentSpec", "selector"),
        ("ReplicaSet", "Desired") => ("ReplicaSetSpec", "replicas"),
        ("ReplicaSet", "Current") => ("ReplicaSetStatus", "replicas"),
        ("ReplicaSet", "Ready") => ("ReplicaSetStatus", "readyReplicas"),
        ("ReplicaSet", "Selector") => ("ReplicaSetSpec", "selector"),
        ("HorizontalPodAutoscaler", "Reference") => ("HorizontalPodAutoscalerSpec", "scaleTargetRef"),
        ("HorizontalPodAutoscaler", "Targets") => ("HorizontalPodAutoscalerSpec", "metrics"),
        ("HorizontalPodAutoscaler", "MinPods") => ("HorizontalPodAutoscalerSpec", "minReplicas"),
        ("HorizontalPodAutoscaler", "MaxPods") => ("HorizontalPodAutoscalerSpec", "maxReplicas"),
        ("HorizontalPodAutoscaler", "Replicas") => ("HorizontalPodAutoscalerStatus", "currentReplicas"),
        ("CronJob", "Schedule") => ("CronJobSpec", "schedule"),
        ("CronJob", "Timezone") => ("CronJobSpec", "timeZone"),
        ("CronJob", "Suspend") => ("CronJobSpec", "suspend"),
        ("CronJob", "Active") => ("CronJobStatus", "active"),
        ("CronJob", "Last Schedule") => ("CronJobStatus", "lastScheduleTime"),
        ("CronJob" | "Job", "Selector") => ("JobSpec", "selector"),
        ("Job", "Completions") => ("JobStatus", "succeeded"),
        ("PriorityClass", "Value") => (kind, "value"),
        ("PriorityClass", "Global-Default") => (kind, "globalDefault"),
        ("PriorityClass", "PreemptionPolicy") => (kind, "preemptionPolicy"),
        ("Lease", "Holder") => ("LeaseSpec", "holderIdentity"),
        ("EndpointSlice", "AddressType") => (kind, "addressType"),
        ("EndpointSlice", "Ports") => (kind, "ports"),
        ("EndpointSlice", "Endpoints") => (kind, "endpoints"),
        ("RoleBinding" | "ClusterRoleBinding", "Role") => (kind, "roleRef"),
        _ => match of_storage(kind, column) {
            Some((owner, field)) => (owner, field),
            None => return own_words(kind, column),
        },
    };
    described(owner, field)
}

/// The fields that columns of volumes and the like show.
fn of_storage<'a>(kind: &'a str, column: &str) -> Option<(&'a str, &'static str)> {
    Some(match (kind, column) {
        ("PersistentVolume", "Capacity") => ("PersistentVolumeSpec", "capacity"),
        ("PersistentVolume", "Access Modes") => ("PersistentVolumeSpec", "accessModes"),
        ("PersistentVolume", "Reclaim Policy") => ("PersistentVolumeSpec", "persistentVolumeReclaimPolicy"),
        ("PersistentVolume", "Status") => ("PersistentVolumeStatus", "phase"),
        ("PersistentVolume", "Claim") => ("PersistentVolumeSpec", "claimRef"),
        ("PersistentVolume", "Reason") => ("PersistentVolumeStatus", "reason"),
        ("PersistentVolume", "VolumeMode") => ("PersistentVolumeSpec", "volumeMode"),
        ("PersistentVolumeClaim", "Status") => ("PersistentVolumeClaimStatus", "phase"),
        ("PersistentVolumeClaim", "Volume") => ("PersistentVolumeClaimSpec", "volumeName"),
        ("PersistentVolumeClaim", "Capacity") => ("PersistentVolumeClaimStatus", "capacity"),
        ("PersistentVolumeClaim", "Access Modes") => ("PersistentVolumeClaimStatus", "accessModes"),
        ("PersistentVolumeClaim", "VolumeMode") => ("PersistentVolumeClaimSpec", "volumeMode"),
        ("StorageClass", "Provisioner") => (kind, "provisioner"),
        ("StorageClass", "ReclaimPolicy") => (kind, "reclaimPolicy"),
        ("StorageClass", "VolumeBindingMode") => (kind, "volumeBindingMode"),
        ("StorageClass", "AllowVolumeExpansion") => (kind, "allowVolumeExpansion"),
        ("NetworkPolicy", "Pod-Selector") => ("NetworkPolicySpec", "podSelector"),
        _ => return None,
    })
}

fn described(owner: &str, field: &str) -> String {
    openapi::description(owner, field).to_owned()
}

/// Columns that show no single field.
fn own_words(kind: &str, column: &str) -> String {
    let text = match (kind, column) {
        ("Namespace", "Status") => "The status of the namespace",
        ("Node", "Status") => "The status of the node",
        ("Node", "Roles") => "The roles of the node",
        ("Pod", "Ready") => "The aggregate readiness state of this pod for accepting traffic.",
        ("Pod", "Status") => "The aggregate status of the containers in this pod.",
        ("Pod", "Restarts") => {
            "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted."
        }
        ("APIService", "Service") => "The reference to the service that hosts this API endpoint.",
        ("APIService", "Available") => "Whether this service is available.",
        ("Deployment" | "StatefulSet", "Ready") => "Number of the pod with ready state",
        (_, "Containers") => "Names of each container in the template.",
        (_, "Images") => "Images referenced by each container in the template.",
        ("Job", "Status") => "Status of the job.",
        ("Job", "Duration") => "Time required to complete the job.",
        ("PersistentVolume", "StorageClass") => "StorageClass of the pv",
        ("PersistentVolume", "VolumeAttributesClass") => "VolumeAttributesClass of the pv",
        ("PersistentVolumeClaim", "StorageClass") => "StorageClass of the pvc",
        ("PersistentVolumeClaim", "VolumeAttributesClass") => "VolumeAttributesClass of the pvc",
        ("Ingress", "Class") => {
            "The name of the IngressClass resource that should be used for additional configuration"
        }
        ("Ingress", "Hosts") => "Hosts that incoming requests are matched against before the ingress rule",
        ("Ingress", "Address") => "Address is a list containing ingress points for the load-balancer",
        ("Ingress", "Ports") => "Ports of TLS configurations that open",
        ("IngressClass", "Controller") => "Controller that is responsible for handling this class",
        ("IngressClass", "Parameters") => "A reference to a resource with additional parameters",
        ("ResourceQuota", "Request") => {
            "Request represents a minimum amount of cpu/memory that a container may consume."
        }
        ("ResourceQuota", "Limit") => {
            "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node."
        }
        ("PodDisruptionBudget", "Min Available") => "The minimum number of pods that must be available.",
        ("PodDisruptionBudget", "Max Unavailable") => "The maximum number of pods that may be unavailable.",
        ("PodDisruptionBudget", "Allowed Disruptions") => {
            "Calculated number of pods that may be disrupted at this time."
        }
        ("RoleBinding", who) => return format!("{who} in the roleBinding"),
        ("ClusterRoleBinding", who) => return format!("{who} in the clusterRoleBinding"),
        _ => "",
    };
    text.to_owned()
}
