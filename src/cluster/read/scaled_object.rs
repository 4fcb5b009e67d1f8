//! The ScaledObjects as a view or a check needs them.

use jiff::Timestamp;
use kube::api::{DynamicObject, ListParams};
use serde::Serialize;
use serde_json::Value;

use crate::Result;
use crate::address::Name;
use crate::connection::Cluster;
use crate::read::{Condition, failed};

/// Replicas that KEDA allows where a ScaledObject names no maximum.
const MAX_DEFAULT: i64 = 100;

/// A ScaledObject: what it asks for and its status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScaledObject {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Name of what it scales.
    pub target: String,
    /// Least replicas.
    pub min: i64,
    /// Most replicas.
    pub max: i64,
    /// Conditions.
    pub conditions: Vec<Condition>,
    /// When a trigger was last active.
    pub last_active_at: Option<Timestamp>,
    /// Names of its external metrics.
    pub metric_names: Vec<String>,
    /// Name of its HPA.
    pub hpa: Option<String>,
}

/// An object of KEDA's.
pub(super) fn kind(kind: &str, namespace: Option<&str>, name: &str) -> Name {
    Name {
        api_version: "keda.sh/v1alpha1".to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

/// The ScaledObject, or `None` if it or its kind does not exist.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`](crate::Error::Unreachable) if no answer comes, and
/// [`Error::Refused`](crate::Error::Refused) if the API server refuses.
pub async fn scaled_object(cluster: &Cluster, namespace: &str, name: &str) -> Result<Option<ScaledObject>> {
    let session = cluster.session().await?;
    let Some(api) = kind("ScaledObject", Some(namespace), name).api(&session).await? else { return Ok(None) };
    let found = api.get_opt(name).await.map_err(failed(&session, "read ScaledObject", namespace, name))?;
    Ok(found.as_ref().map(view))
}

/// All ScaledObjects of the cluster by namespace and name; none if their kind does not exist.
///
/// # Errors
///
/// Those of [`Cluster::client`], [`Error::Unreachable`](crate::Error::Unreachable) if no answer comes, and
/// [`Error::Refused`](crate::Error::Refused) if the API server refuses.
pub async fn scaled_objects(cluster: &Cluster) -> Result<Vec<ScaledObject>> {
    let session = cluster.session().await?;
    let Some(api) = kind("ScaledObject", None, "").api_everywhere(&session).await? else { return Ok(Vec::new()) };
    let list = api.list(&ListParams::default()).await.map_err(failed(&session, "list ScaledObjects", "", ""))?;
    let mut found: Vec<ScaledObject> = list.items.iter().map(view).collect();
    found.sort_by(|left, right| (&left.namespace, &left.name).cmp(&(&right.namespace, &right.name)));
    Ok(found)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The conditions of a status.
pub(super) fn conditions(status: &Value) -> Vec<Condition> {
    let condition = |c: &Value| Condition {
        kind: text(&c["type"]),
        status: text(&c["status"]),
        reason: text(&c["reason"]),
        message: text(&c["message"]),
    };
    status["conditions"].as_array().into_iter().flatten().map(condition).collect()
}

fn view(object: &DynamicObject) -> ScaledObject {
    let (spec, status) = (&object.data["spec"], &object.data["status"]);
    ScaledObject {
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: object.metadata.name.clone().unwrap_or_default(),
        target: text(&spec["scaleTargetRef"]["name"]),
        min: spec["minReplicaCount"].as_i64().unwrap_or(0),
        max: spec["maxReplicaCount"].as_i64().unwrap_or(MAX_DEFAULT),
        conditions: conditions(status),
        last_active_at: status["lastActiveTime"].as_str().and_then(|time| time.parse().ok()),
        metric_names: status["externalMetricNames"].as_array().into_iter().flatten().map(text).collect(),
        hpa: status["hpaName"].as_str().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_are_kedas_and_a_missing_status_is_empty() {
        let text = json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": { "name": "b", "namespace": "a" },
            "spec": { "scaleTargetRef": { "name": "c" } },
        });
        let found = view(&serde_json::from_value(text).unwrap());
        assert_eq!((found.target.as_str(), found.min, found.max), ("c", 0, 100));
        assert!(found.conditions.is_empty() && found.hpa.is_none());
    }
}
