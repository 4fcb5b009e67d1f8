//! Workloads that are worked on by Jobs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::manifests::Manifest;
use crate::tests::{everything, find, problems, site, stack};

fn jobs(more: &str) -> String {
    format!("workloads: [{{kind: job, {more}}}]")
}

#[test]
fn a_workload_of_jobs_is_a_scaled_job_with_the_same_pods_in_place_of_a_deployment() {
    let (deployment, job) = (everything(&stack(""), &site()), everything(&stack(&jobs("")), &site()));
    let addresses = |manifests: &[Manifest]| -> BTreeSet<String> {
        manifests.iter().map(|manifest| manifest.address.clone()).collect()
    };
    let (of_deployment, of_job) = (addresses(&deployment), addresses(&job));
    assert_eq!(
        of_deployment.difference(&of_job).collect::<Vec<_>>(),
        ["kubernetes_deployment.myproject/myapp", "kubernetes_scaled_object.myproject/myapp"]
    );
    let scaled_job = "kubernetes_scaled_job.myproject/myapp";
    assert_eq!(of_job.difference(&of_deployment).collect::<Vec<_>>(), [scaled_job]);
    let made = find(&job, scaled_job);
    let mut pods = find(&deployment, "kubernetes_deployment.myproject/myapp").object["spec"]["template"].clone();
    pods["spec"]["restartPolicy"] = "Never".into();
    pods["spec"]["containers"][0]["env"].as_array_mut().unwrap().push(json!({ "name": "ONE_MESSAGE", "value": "1" }));
    let spec = &made.object["spec"];
    assert_eq!(spec["jobTargetRef"], json!({ "backoffLimit": 0, "template": pods }));
    assert_eq!((&spec["minReplicaCount"], &spec["maxReplicaCount"]), (&json!(0), &json!(3)));
    assert_eq!(spec["pollingInterval"], 30);
    assert_eq!(spec["triggers"][0]["metadata"]["queueLength"], "1");
    assert_eq!(spec["triggers"][0]["authenticationRef"]["name"], "myapp");
    assert_eq!(made.object["metadata"]["labels"]["sluice.dev/stack"], "sluice-demo");
    for needed in [
        "kubernetes_namespace.myproject",
        "kubernetes_service_account.myproject/myapp",
        "kubernetes_trigger_authentication.myproject/myapp",
        "kubernetes_deployment.keda/keda-operator",
        "kubernetes_custom_resource_definition.scaledjobs.keda.sh",
    ] {
        assert!(made.depends_on.iter().any(|address| address == needed), "{needed}: {:?}", made.depends_on);
    }
}

#[test]
fn what_a_scaled_job_can_say_is_said_in_the_stack() {
    let spec = |text: &str| {
        let manifests = everything(&stack(&jobs(text)), &site());
        find(&manifests, "kubernetes_scaled_job.myproject/myapp").object["spec"].clone()
    };
    let full = spec(
        "scaling: {maxReplicaCount: 9, minReplicaCount: 1, pollingInterval: 5, queueLength: 2, activationQueueLength: 4}, \
         job: {strategy: custom, customScalingQueueLengthDeduction: 2, customScalingRunningJobPercentage: 0.5, \
         pendingPodConditions: [Ready], successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 0, rollout: gradual, \
         propagationPolicy: foreground, backoffLimit: 4, activeDeadlineSeconds: 600}",
    );
    assert_eq!(
        full["scalingStrategy"],
        json!({ "strategy": "custom", "customScalingQueueLengthDeduction": 2,
                "customScalingRunningJobPercentage": "0.5", "pendingPodConditions": ["Ready"] })
    );
    assert_eq!((&full["successfulJobsHistoryLimit"], &full["failedJobsHistoryLimit"]), (&json!(3), &json!(0)));
    assert_eq!(full["rollout"], json!({ "strategy": "gradual", "propagationPolicy": "foreground" }));
    assert_eq!(full["jobTargetRef"]["backoffLimit"], 4);
    assert_eq!(full["jobTargetRef"]["activeDeadlineSeconds"], 600);
    assert_eq!((&full["maxReplicaCount"], &full["minReplicaCount"]), (&json!(9), &json!(1)));
    assert_eq!(full["triggers"][0]["metadata"]["activationQueueLength"], "4");
    for (strategy, on_in_flight) in [("default", Value::Null), ("accurate", "false".into()), ("eager", "false".into())]
    {
        let spec = spec(&format!("job: {{strategy: {strategy}}}"));
        assert_eq!(spec["triggers"][0]["metadata"]["scaleOnInFlight"], on_in_flight, "{strategy}");
    }
    // One of the user's own takes what it likes.
    let own = spec("image: mycorp/orders");
    assert!(!own.to_string().contains("ONE_MESSAGE"), "{own}");
}

#[test]
fn a_key_that_the_kind_has_no_use_for_is_refused_where_it_stands() {
    let text = "workloads:\n- kind: job\n  scaling: {cooldownPeriod: 300, scaleDownWindow: 1, directActivation: true}\n  \
                worker: {parallelism: 2}\n  job: {customScalingQueueLengthDeduction: 2, strategy: best}\n\
                - name: b\n  job: {rollout: gradual}\n";
    insta::assert_snapshot!(problems(text), @r#"
    stack.yaml:3:13: workloads[0].scaling.cooldownPeriod: a Job ends by itself when its work is done, and is never scaled in; leave the key out, or write `kind: deployment`
    stack.yaml:3:34: workloads[0].scaling.scaleDownWindow: a Job ends by itself when its work is done, and is never scaled in; leave the key out, or write `kind: deployment`
    stack.yaml:3:54: workloads[0].scaling.directActivation: as many Jobs as are called for are made at once, without an HPA; leave the key out, or write `kind: deployment`
    stack.yaml:4:12: workloads[0].worker.parallelism: the sample takes one message in a Job and ends; leave the key out, or write `kind: deployment`
    stack.yaml:5:9: workloads[0].job.customScalingQueueLengthDeduction: only the strategy custom takes it into account; leave it out, or write `strategy: custom`
    stack.yaml:5:57: workloads[0].job.strategy: "best" is not known; use one of default, custom, accurate, eager
    stack.yaml:7:3: workloads[1].job: the workload is a Deployment, which makes no Jobs; leave it out, or write `kind: job`
    "#);
    assert!(problems("workloads: [{kind: cronjob}]").contains("use one of deployment, job"));
    assert!(stack("workloads: [{job: , kind: job}]").workloads[0].job.is_some());
}
