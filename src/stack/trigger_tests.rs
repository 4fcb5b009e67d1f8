//! Workloads whose triggers are written out, with a queue and without one.

use serde_json::{Value, json};

use crate::manifests::Manifest;
use crate::policies::Policies;
use crate::tests::{everything, find, problems, site, stack};

const IDLE: &str = "{name: idle, image: mycorp/idle, triggers: [{type: cron, name: day, metadata: {timezone: Asia/Tokyo, \
                    start: 0 8 * * *, end: 0 20 * * *, desiredReplicas: 2}}]}";

fn addresses(manifests: &[Manifest], name: &str) -> Vec<String> {
    let of = |manifest: &&Manifest| manifest.address.ends_with(&format!("/{name}"));
    manifests.iter().filter(of).map(|manifest| manifest.address.clone()).collect()
}

#[test]
fn a_workload_without_a_queue_has_neither_role_nor_authentication_nor_address() {
    let stack = stack(&format!("workloads: [{{}}, {IDLE}]"));
    assert!(stack.workloads[1].queue.is_none() && stack.has_queue());
    let names = stack.names();
    assert_eq!(names.workloads.iter().map(|named| named.workload.as_str()).collect::<Vec<_>>(), ["myapp"]);
    let manifests = everything(&stack, &site());
    assert_eq!(
        addresses(&manifests, "idle"),
        [
            "kubernetes_service_account.myproject/idle",
            "kubernetes_deployment.myproject/idle",
            "kubernetes_scaled_object.myproject/idle"
        ]
    );
    let account = find(&manifests, "kubernetes_service_account.myproject/idle");
    assert_eq!(account.object["metadata"]["annotations"], Value::Null);
    let pods = &find(&manifests, "kubernetes_deployment.myproject/idle").object["spec"]["template"]["spec"];
    assert_eq!(pods["volumes"], Value::Null);
    let names: Vec<_> = pods["containers"][0]["env"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["POD_NAME", "AWS_REGION"]);
    let triggers = &find(&manifests, "kubernetes_scaled_object.myproject/idle").object["spec"]["triggers"];
    let metadata = json!({"timezone": "Asia/Tokyo", "start": "0 8 * * *", "end": "0 20 * * *", "desiredReplicas": "2"});
    assert_eq!(triggers, &json!([{"type": "cron", "name": "day", "metadata": metadata}]));
    let policies = Policies { stack: &stack, account_id: "111122223333", issuer: "i" };
    let queues = &policies.scaler_policy().unwrap()["Statement"][0]["Resource"];
    assert_eq!(queues, &json!(["arn:aws:sqs:ap-northeast-1:111122223333:sluice-demo-myapp"]));
}

#[test]
fn a_stack_without_a_queue_names_no_role_at_all() {
    let stack = stack(&format!("workloads: [{IDLE}]"));
    assert!(!stack.has_queue());
    let manifests = everything(&stack, &site());
    let text = serde_json::to_string(&manifests.iter().map(|one| &one.object).collect::<Vec<_>>()).unwrap();
    for word in ["arn:aws:iam", "aws-iam-token", "QUEUE_URL"] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn the_queues_trigger_in_a_list_is_given_its_address_and_its_reader_and_the_list_says_the_rest() {
    let stack = stack(
        "workloads: [{queue: {visibilityTimeout: 60}, identity: workload, scaling: {fallback: {failureThreshold: 2, replicas: 1, \
         behavior: static}, scalingModifiers: {formula: queue + 2, target: 2.5, activationTarget: \"1\"}}, triggers: [\
         {type: aws-sqs-queue, name: queue, metricType: Value, useCachedMetrics: true, metadata: {queueLength: 7}}, \
         {type: prometheus, authenticationRef: {name: theirs, kind: ClusterTriggerAuthentication}, \
         metadata: {serverAddress: 'http://p:9090', query: 'sum(a{b=\"${x}\"})', threshold: \"3\"}}]}]",
    );
    let scaling = &stack.workloads[0].scaling;
    assert_eq!((scaling.queue_length, scaling.activation_queue_length), (7, 0));
    let manifests = everything(&stack, &site());
    let spec = &find(&manifests, "kubernetes_scaled_object.myproject/myapp").object["spec"];
    let own = json!({
        "type": "aws-sqs-queue", "name": "queue", "metricType": "Value", "useCachedMetrics": true,
        "authenticationRef": {"name": "myapp"},
        "metadata": {"queueLength": "7", "queueURL": "${aws_sqs_queue.myapp.url}", "awsRegion": "ap-northeast-1"},
    });
    let theirs = json!({
        "type": "prometheus", "authenticationRef": {"name": "theirs", "kind": "ClusterTriggerAuthentication"},
        "metadata": {"serverAddress": "http://p:9090", "query": "sum(a{b=\"$${x}\"})", "threshold": "3"},
    });
    assert_eq!(spec["triggers"], json!([own, theirs]));
    assert_eq!(spec["fallback"], json!({"failureThreshold": 2, "replicas": 1, "behavior": "static"}));
    let modifiers = json!({"formula": "queue + 2", "target": "2.5", "activationTarget": "1"});
    assert_eq!(spec["advanced"]["scalingModifiers"], modifiers);
    assert_eq!(
        spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"],
        300
    );
}

#[test]
fn a_list_of_a_job_is_its_scaled_jobs() {
    let stack = stack(
        "workloads: [{kind: job, image: mycorp/a, job: {multipleScalersCalculation: sum}, triggers: [\
         {type: kubernetes-workload, metadata: {podSelector: app=b, value: 1}}]}]",
    );
    let manifests = everything(&stack, &site());
    let spec = &find(&manifests, "kubernetes_scaled_job.myproject/myapp").object["spec"];
    let metadata = json!({"podSelector": "app=b", "value": "1"});
    assert_eq!(spec["triggers"], json!([{"type": "kubernetes-workload", "metadata": metadata}]));
    assert_eq!(spec["scalingStrategy"]["multipleScalersCalculation"], "sum");
}

#[test]
fn what_does_not_hang_together_is_said_where_it_is_written() {
    let cron = "triggers: [{type: cron, metadata: {}}]";
    let table = [
        (
            format!("[{{image: a/b, identity: role, {cron}}}]"),
            "workloads[0].identity: it says who reads the workload's queue",
        ),
        (
            format!("[{{image: a/b, scaling: {{queueLength: 3}}, {cron}}}]"),
            "workloads[0].scaling.queueLength: the triggers are",
        ),
        (format!("[{{{cron}}}]"), "workloads[0].image: the sample consumer works on a queue"),
        ("[{triggers: []}]".to_owned(), "workloads[0].triggers: the list is empty"),
        (
            "[{image: a/b, triggers: [{metadata: {}}]}]".to_owned(),
            "workloads[0].triggers[0].type: the trigger has no type",
        ),
        (
            "[{image: a/b, triggers: [{type: aws-sqs-queue, metadata: {queueLength: 1}}]}]".to_owned(),
            "workloads[0].triggers[0]: the trigger names no queueURL",
        ),
        (
            "[{queue: {}, triggers: [{type: aws-sqs-queue, metadata: {}, authenticationRef: {name: a}}]}]".to_owned(),
            "workloads[0].triggers[0].authenticationRef: the workload's own queue is read as `identity` says",
        ),
        (
            "[{kind: job, scaling: {fallback: {replicas: 1}}}]".to_owned(),
            "workloads[0].scaling.fallback: KEDA's ScaledJob has no such field",
        ),
        (
            "[{image: a/b, triggers: [{type: cron, metadat: {}}]}]".to_owned(),
            "workloads[0].triggers[0].metadat: unknown key; did you mean \"metadata\"?",
        ),
    ];
    for (workloads, wanted) in table {
        let found = problems(&format!("workloads: {workloads}"));
        assert!(found.contains(wanted), "{workloads}: {found}");
    }
}
