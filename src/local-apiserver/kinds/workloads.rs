//! What runs, how many of it, and what that rests on.

use k8s_openapi::api;
use serde_json::{Value, json};

use super::printer_column::{AGE, CONTAINERS, IMAGES, NAME, boolean, integer, text};
use super::row::{CLUSTER, GroupVersion, NAMESPACED, NewStatus, Row, SCALED, WITH_STATUS, WORKLOAD, schema};
use crate::table::built_in::{autoscaler, cluster, workload};

pub(super) const APPS: GroupVersion =
    GroupVersion { group: "apps", version: "v1", priority: 17_800, version_priority: 15, rows: APPS_ROWS };

const APPS_ROWS: &[Row] = &[
    Row {
        kind: "ControllerRevision",
        plural: "controllerrevisions",
        columns: &[
            NAME,
            text("Controller").says("Controller of the object"),
            text("Revision").of("ControllerRevision", "revision"),
            AGE,
        ],
        cells: workload::controller_revision,
        zero: || json!({"revision": 0}),
        schema: Some(schema::<api::apps::v1::ControllerRevision>),
        ..NAMESPACED
    },
    Row {
        kind: "DaemonSet",
        plural: "daemonsets",
        short_names: &["ds"],
        generation: true,
        columns: &[
            NAME,
            integer("Desired").of("DaemonSetStatus", "desiredNumberScheduled"),
            integer("Current").of("DaemonSetStatus", "currentNumberScheduled"),
            integer("Ready").of("DaemonSetStatus", "numberReady"),
            integer("Up-to-date").of("DaemonSetStatus", "updatedNumberScheduled"),
            integer("Available").of("DaemonSetStatus", "numberAvailable"),
            text("Node Selector").of("PodSpec", "nodeSelector"),
            AGE,
            CONTAINERS,
            IMAGES,
            text("Selector").wide().of("DaemonSetSpec", "selector"),
        ],
        cells: workload::daemon_set,
        new_status: NewStatus::Begins(|| json!({})),
        zero: || {
            json!({
                "spec": {"selector": null, "template": template(), "updateStrategy": {}},
                "status": {
                    "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
                },
            })
        },
        schema: Some(schema::<api::apps::v1::DaemonSet>),
        ..WORKLOAD
    },
    Row {
        kind: "Deployment",
        plural: "deployments",
        short_names: &["deploy"],
        generation: true,
        columns: &[
            NAME,
            text("Ready").says("Number of the pod with ready state"),
            text("Up-to-date").of("DeploymentStatus", "updatedReplicas"),
            text("Available").of("DeploymentStatus", "availableReplicas"),
            AGE,
            CONTAINERS,
            IMAGES,
            text("Selector").wide().of_until(" It must match", "DeploymentSpec", "selector"),
        ],
        cells: workload::deployment,
        new_status: NewStatus::Begins(|| json!({})),
        zero: || json!({"spec": {"selector": null, "template": template(), "strategy": {}}, "status": {}}),
        schema: Some(schema::<api::apps::v1::Deployment>),
        ..SCALED
    },
    Row {
        kind: "ReplicaSet",
        plural: "replicasets",
        short_names: &["rs"],
        generation: true,
        selectable: &["status.replicas"],
        columns: &[
            NAME,
            integer("Desired").of("ReplicaSetSpec", "replicas"),
            integer("Current").of("ReplicaSetStatus", "replicas"),
            integer("Ready").of("ReplicaSetStatus", "readyReplicas"),
            AGE,
            CONTAINERS,
            IMAGES,
            text("Selector").wide().of("ReplicaSetSpec", "selector"),
        ],
        cells: workload::replicas,
        new_status: NewStatus::Begins(|| json!({})),
        zero: || json!({"spec": {"selector": null, "template": template()}, "status": {"replicas": 0}}),
        schema: Some(schema::<api::apps::v1::ReplicaSet>),
        ..SCALED
    },
    Row {
        kind: "StatefulSet",
        plural: "statefulsets",
        short_names: &["sts"],
        generation: true,
        columns: &[NAME, text("Ready").says("Number of the pod with ready state"), AGE, CONTAINERS, IMAGES],
        cells: workload::stateful_set,
        new_status: NewStatus::Begins(|| json!({})),
        zero: || {
            json!({
                "spec": {"selector": null, "template": template(), "serviceName": "", "updateStrategy": {}},
                "status": {"replicas": 0, "availableReplicas": 0},
            })
        },
        schema: Some(schema::<api::apps::v1::StatefulSet>),
        ..SCALED
    },
];

pub(super) const AUTOSCALING_V2: GroupVersion = GroupVersion {
    group: "autoscaling",
    version: "v2",
    priority: 17_500,
    version_priority: 30,
    rows: AUTOSCALING_V2_ROWS,
};

const AUTOSCALING_V2_ROWS: &[Row] =
    &[Row { schema: Some(schema::<api::autoscaling::v2::HorizontalPodAutoscaler>), ..AUTOSCALER }];

/// What both versions of the kind have alike.
const AUTOSCALER: Row = Row {
    kind: "HorizontalPodAutoscaler",
    plural: "horizontalpodautoscalers",
    short_names: &["hpa"],
    columns: &[
        NAME,
        text("Reference").of("HorizontalPodAutoscalerSpec", "scaleTargetRef"),
        text("Targets").of_until(" If not set", "HorizontalPodAutoscalerSpec", "metrics"),
        text("MinPods").of("HorizontalPodAutoscalerSpec", "minReplicas"),
        text("MaxPods").of("HorizontalPodAutoscalerSpec", "maxReplicas"),
        text("Replicas").of("HorizontalPodAutoscalerStatus", "currentReplicas"),
        AGE,
    ],
    cells: autoscaler::cells,
    new_status: NewStatus::Begins(|| json!({"desiredReplicas": 0})),
    zero: || {
        json!({
            "spec": {"scaleTargetRef": {"kind": "", "name": ""}, "maxReplicas": 0},
            "status": {"desiredReplicas": 0, "currentMetrics": null},
        })
    },
    ..WORKLOAD
};

pub(super) const AUTOSCALING_V1: GroupVersion = GroupVersion {
    group: "autoscaling",
    version: "v1",
    priority: 17_500,
    version_priority: 15,
    rows: AUTOSCALING_V1_ROWS,
};

const AUTOSCALING_V1_ROWS: &[Row] =
    &[Row { schema: Some(schema::<api::autoscaling::v1::HorizontalPodAutoscaler>), ..AUTOSCALER }];

pub(super) const BATCH: GroupVersion =
    GroupVersion { group: "batch", version: "v1", priority: 17_400, version_priority: 15, rows: BATCH_ROWS };

const BATCH_ROWS: &[Row] = &[
    Row {
        kind: "CronJob",
        plural: "cronjobs",
        short_names: &["cj"],
        generation: true,
        columns: &[
            NAME,
            text("Schedule").of("CronJobSpec", "schedule"),
            text("Timezone").of("CronJobSpec", "timeZone"),
            boolean("Suspend").of("CronJobSpec", "suspend"),
            integer("Active").of("CronJobStatus", "active"),
            text("Last Schedule").of("CronJobStatus", "lastScheduleTime"),
            AGE,
            CONTAINERS,
            IMAGES,
            text("Selector").wide().of("JobSpec", "selector"),
        ],
        cells: workload::cron_job,
        zero: || {
            json!({
                "spec": {"schedule": "", "jobTemplate": {"metadata": {}, "spec": {"template": template()}}},
                "status": {},
            })
        },
        schema: Some(schema::<api::batch::v1::CronJob>),
        ..WORKLOAD
    },
    Row {
        kind: "Job",
        plural: "jobs",
        generation: true,
        selectable: &["status.successful"],
        columns: &[
            NAME,
            text("Status").says("Status of the job."),
            text("Completions").of("JobStatus", "succeeded"),
            text("Duration").says("Time required to complete the job."),
            AGE,
            CONTAINERS,
            IMAGES,
            text("Selector").wide().of("JobSpec", "selector"),
        ],
        cells: workload::job,
        new_status: NewStatus::Begins(|| json!({})),
        zero: || json!({"spec": {"template": template()}, "status": {}}),
        schema: Some(schema::<api::batch::v1::Job>),
        ..WORKLOAD
    },
];

pub(super) const POLICY: GroupVersion =
    GroupVersion { group: "policy", version: "v1", priority: 17_100, version_priority: 15, rows: POLICY_ROWS };

const POLICY_ROWS: &[Row] = &[Row {
    kind: "PodDisruptionBudget",
    plural: "poddisruptionbudgets",
    short_names: &["pdb"],
    generation: true,
    columns: &[
        NAME,
        text("Min Available").says("The minimum number of pods that must be available."),
        text("Max Unavailable").says("The maximum number of pods that may be unavailable."),
        integer("Allowed Disruptions").says("Calculated number of pods that may be disrupted at this time."),
        AGE,
    ],
    cells: workload::disruption_budget,
    new_status: NewStatus::Begins(
        || json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}),
    ),
    zero: || {
        json!({
            "spec": {},
            "status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
        })
    },
    schema: Some(schema::<api::policy::v1::PodDisruptionBudget>),
    ..WITH_STATUS
}];

pub(super) const SCHEDULING: GroupVersion = GroupVersion {
    group: "scheduling.k8s.io",
    version: "v1",
    priority: 16_600,
    version_priority: 15,
    rows: SCHEDULING_ROWS,
};

const SCHEDULING_ROWS: &[Row] = &[Row {
    kind: "PriorityClass",
    plural: "priorityclasses",
    short_names: &["pc"],
    generation: true,
    columns: &[
        NAME,
        integer("Value").of("PriorityClass", "value"),
        boolean("Global-Default").of("PriorityClass", "globalDefault"),
        AGE,
        text("PreemptionPolicy").of("PriorityClass", "preemptionPolicy"),
    ],
    cells: workload::priority_class,
    zero: || json!({"value": 0}),
    schema: Some(schema::<api::scheduling::v1::PriorityClass>),
    ..CLUSTER
}];

pub(super) const COORDINATION: GroupVersion = GroupVersion {
    group: "coordination.k8s.io",
    version: "v1",
    priority: 16_500,
    version_priority: 15,
    rows: COORDINATION_ROWS,
};

const COORDINATION_ROWS: &[Row] = &[Row {
    kind: "Lease",
    plural: "leases",
    columns: &[NAME, text("Holder").of("LeaseSpec", "holderIdentity"), AGE],
    cells: cluster::lease,
    zero: || json!({"spec": {}}),
    schema: Some(schema::<api::coordination::v1::Lease>),
    ..NAMESPACED
}];

fn template() -> Value {
    json!({"metadata": {}, "spec": {"containers": null}})
}
