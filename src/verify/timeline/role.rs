//! What a line of the timeline is in the chain from a decision to a working pod, as far as its record says.

use serde_json::Value;

use crate::observation::{Decision, KubernetesEvent};

/// The part of one line in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// The operator decided; `wanted` is what its samples make the HPA want.
    Decision { from: Option<i64>, to: Option<i64>, wanted: Option<i64> },
    /// The operator's Event that says how its decision was carried out.
    Activation { up: bool },
    /// The HPA set a size, in its own Event.
    Rescale { size: u32 },
    /// The HPA's status shows a size.
    Wanted { size: u32 },
    /// The Deployment's `spec.replicas` changed.
    Change { from: u32, to: u32 },
    /// The Deployment scaled a ReplicaSet; older Kubernetes does not say from where.
    ReplicaSet { set: String, from: Option<u32>, to: u32 },
    /// A ReplicaSet created a pod.
    Created { set: String, pod: String },
    /// A ReplicaSet deleted a pod.
    Deleted { set: String, pod: String },
    /// An Event of a pod, by its rank in a pod's life.
    Life { pod: String, rank: u8 },
    /// A state of a pod was seen.
    Seen { pod: String, running: bool, ending: bool },
    /// A pod finished with a message.
    Worked { pod: String },
    /// Nothing of the chain.
    Other,
}

/// The ranks of the Events by which scheduler and kubelet accompany a pod's container.
const LIFE: [(&str, u8); 6] =
    [("Scheduled", 1), ("Pulling", 2), ("Pulled", 3), ("Created", 4), ("Started", 5), ("Killing", KILLING)];

/// The rank of a pod's end.
pub(super) const KILLING: u8 = 9;

impl Role {
    pub(super) fn of_decision(decision: &Decision) -> Self {
        let wanted = decision.decision.get("wantedByHpa").and_then(Value::as_i64);
        Self::Decision { from: decision.from, to: decision.to, wanted }
    }

    pub(super) fn of_event(event: &KubernetesEvent) -> Self {
        let (kind, name) = event.object.split_once('/').unwrap_or_default();
        let message = event.message.as_str();
        let named = |words: &str| message.strip_prefix(words).map(|rest| word(rest).to_owned());
        let role = match (event.reason.as_str(), kind) {
            ("KEDAScaleTargetActivated", _) => Some(Self::Activation { up: true }),
            ("KEDAScaleTargetDeactivated", _) => Some(Self::Activation { up: false }),
            ("SuccessfulRescale", _) => {
                named("New size: ").and_then(|size| Some(Self::Rescale { size: size.parse().ok()? }))
            }
            ("ScalingReplicaSet", _) => replica_set(message),
            ("SuccessfulCreate", "ReplicaSet") => {
                named("Created pod: ").map(|pod| Self::Created { set: name.to_owned(), pod })
            }
            ("SuccessfulDelete", "ReplicaSet") => {
                named("Deleted pod: ").map(|pod| Self::Deleted { set: name.to_owned(), pod })
            }
            (reason, "Pod") => {
                let rank = LIFE.iter().find(|(known, _)| *known == reason).map(|(_, rank)| *rank);
                rank.map(|rank| Self::Life { pod: name.to_owned(), rank })
            }
            _ => None,
        };
        role.unwrap_or(Self::Other)
    }

    /// The pod that it is about.
    pub(super) fn pod(&self) -> Option<&str> {
        match self {
            Self::Created { pod, .. }
            | Self::Deleted { pod, .. }
            | Self::Life { pod, .. }
            | Self::Seen { pod, .. }
            | Self::Worked { pod } => Some(pod),
            _ => None,
        }
    }

    /// Whether it belongs to a pod's end.
    pub(super) fn is_end(&self) -> bool {
        matches!(self, Self::Deleted { .. } | Self::Life { rank: KILLING, .. } | Self::Seen { ending: true, .. })
    }
}

/// The first word, without what punctuates it.
fn word(text: &str) -> &str {
    text.split([' ', ';', ',']).next().unwrap_or_default()
}

/// `Scaled up replica set NAME from 0 to 1`, or without `from 0` before Kubernetes 1.26.
fn replica_set(message: &str) -> Option<Role> {
    let (_, rest) = message.split_once("replica set ")?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let after = |key: &str| words.iter().position(|word| *word == key).and_then(|at| words.get(at + 1)?.parse().ok());
    Some(Role::ReplicaSet { set: (*words.first()?).to_owned(), from: after("from"), to: after("to")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(reason: &str, object: &str, message: &str) -> Role {
        let (kind, reason, message, object) =
            ("Normal".to_owned(), reason.to_owned(), message.to_owned(), object.to_owned());
        Role::of_event(&KubernetesEvent { kind, reason, message, object, count: 1, at: None })
    }

    #[test]
    fn the_words_of_controllers_are_read() {
        let set = |from, to| Role::ReplicaSet { set: "a-1".to_owned(), from, to };
        let scaling = |text| role("ScalingReplicaSet", "Deployment/a", text);
        assert_eq!(scaling("Scaled up replica set a-1 from 1 to 3"), set(Some(1), 3));
        assert_eq!(scaling("Scaled down replica set a-1 to 0"), set(None, 0));
        let rescale = role("SuccessfulRescale", "HorizontalPodAutoscaler/h", "New size: 3; reason: external metric");
        assert_eq!(rescale, Role::Rescale { size: 3 });
        let created = role("SuccessfulCreate", "ReplicaSet/a-1", "Created pod: a-1-x");
        assert_eq!(created, Role::Created { set: "a-1".to_owned(), pod: "a-1-x".to_owned() });
        assert_eq!(role("Started", "Pod/p", "Container started: c"), Role::Life { pod: "p".to_owned(), rank: 5 });
        for text in ["", "Scaled", "replica set ", "replica set a-1 to many"] {
            assert_eq!(scaling(text), Role::Other, "{text}");
        }
    }
}
