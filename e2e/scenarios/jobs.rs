//! A ScaledJob on the stack's queue, beside the stack's Deployment: each message is worked on once by a Job of its own, the history is
//! trimmed, and nothing that runs long is interrupted by a scale-in.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::scenarios::clients::WORKLOAD;
use crate::scenarios::objects::Objects;
use crate::scenarios::stage::Stage;

/// Seconds of the system's time that long work takes: longer than any polling, cooldown or grace here, on a busy machine too.
const LONG_WORK: u64 = 900;
/// Work that does not end while it is looked at.
const ENDLESS_WORK: u64 = 24 * 60 * 60;
const NAME: &str = "e2e-jobs";

struct Jobs<'a> {
    stage: &'a Stage,
    objects: Objects<'a>,
    /// The pods of the stack's Deployment.
    template: Value,
    /// The trigger of the stack's ScaledObject.
    trigger: Value,
}

/// 9 messages, 9 Jobs, each message worked on once, the history trimmed; then long work beside a source that falls silent.
pub(crate) fn each_message_once(stage: &Stage) {
    let jobs = Jobs::begin(stage);
    jobs.nine_messages();
    jobs.long_work_ends();
    jobs.long_work_of_a_deployment_does_not();
    jobs.end();
}

impl<'a> Jobs<'a> {
    /// The stack's Deployment rests, so that only Jobs consume.
    #[track_caller]
    fn begin(stage: &'a Stage) -> Self {
        let objects = Objects::begin(stage);
        let hold = json!({"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": "0"}}});
        objects.patch(&own(SCALED_OBJECTS, WORKLOAD.1), &hold);
        stage.comes_to_rest();
        let deployment = objects.get(&own(DEPLOYMENTS, WORKLOAD.1)).unwrap();
        let trigger = objects.get(&own(SCALED_OBJECTS, WORKLOAD.1)).unwrap()["spec"]["triggers"][0].clone();
        Self { stage, objects, template: deployment["spec"]["template"].clone(), trigger }
    }

    #[track_caller]
    fn nine_messages(&self) {
        self.send(9);
        self.scaled_job(None, 9, &json!({}), &json!({"strategy": "default"}));
        let done = self.stage.expect("nine Jobs are complete", 900, || {
            let jobs = self.jobs();
            (jobs.iter().filter(|job| is_complete(job)).count() >= 9).then_some(jobs)
        });
        assert_eq!(done.len(), 9, "{done:#?}");
        let receipts = self.receipts();
        let messages: BTreeSet<_> = receipts.iter().map(|receipt| receipt["message_id"].to_string()).collect();
        assert_eq!((receipts.len(), messages.len()), (9, 9), "{receipts:#?}");
        assert!(receipts.iter().all(|one| one["outcome"] == "deleted" && one["receive_count"] == 1), "{receipts:#?}");
        assert_eq!(self.objects.clients.queue(&self.stage.queue_url()), Ok((0, 0)));
        self.objects.patch(&path(), &json!({"spec": {"successfulJobsHistoryLimit": 2}}));
        let names = |jobs: &[Value]| -> BTreeSet<_> { jobs.iter().map(|job| text(&job["metadata"]["name"])).collect() };
        let kept =
            self.stage.expect("the history is trimmed", 120, || Some(self.jobs()).filter(|jobs| jobs.len() <= 2));
        assert_eq!(names(&kept), names(&last_two(&done)), "those that ended last are kept");
        self.stage.note("9 messages, 9 Jobs, each worked on once, 2 kept".to_owned());
        self.remove();
    }

    /// The trigger counts only what waits: once all is in work it says nothing, and the scale-in comes.
    #[track_caller]
    fn long_work_ends(&self) {
        self.send(3);
        // No more than there are messages: between a pod's start and its first receipt the message still waits, and KEDA's strategy
        // makes another Job for it.
        self.scaled_job(Some(LONG_WORK), 3, &json!({"scaleOnInFlight": "false"}), &json!({"strategy": "accurate"}));
        let url = self.stage.queue_url();
        self.stage.expect("three messages are in work", 300, || {
            (self.objects.clients.queue(&url) == Ok((0, 3))).then_some(())
        });
        self.stage.expect("no trigger is active", 120, || {
            let object = self.objects.get(&path()).ok()?;
            (status(&object, "Active") == "False").then_some(())
        });
        let in_the_middle = self.jobs();
        assert!(in_the_middle.len() == 3 && !in_the_middle.iter().any(is_complete), "{in_the_middle:#?}");
        let done = self.stage.expect("all Jobs are complete", 2 * LONG_WORK, || {
            Some(self.jobs()).filter(|jobs| jobs.iter().all(is_complete))
        });
        assert_eq!(done.len(), 3, "{done:#?}");
        let receipts = self.receipts();
        assert!(
            receipts.len() == 3 && receipts.iter().all(|one| one["outcome"] == "deleted" && one["receive_count"] == 1),
            "{receipts:#?}"
        );
        self.stage.note(format!("3 Jobs of {LONG_WORK} s went on while no trigger was active"));
        self.remove();
    }

    /// Work in pods of a Deployment is cut off, and its messages come back.
    #[track_caller]
    fn long_work_of_a_deployment_does_not(&self) {
        let mut template = self.pods(Some(ENDLESS_WORK), false);
        let labels = json!({"app": NAME});
        template["metadata"] = json!({"labels": labels});
        let spec = json!({"replicas": 0, "selector": {"matchLabels": labels}, "template": template});
        self.objects.post(DEPLOYMENTS, &json!({"metadata": {"name": NAME}, "spec": spec}));
        let mut trigger = self.trigger.clone();
        trigger["metadata"]["scaleOnInFlight"] = "false".into();
        trigger["metadata"]["queueLength"] = "1".into();
        self.objects.post(
            SCALED_OBJECTS,
            &json!({
                "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": NAME},
                "spec": {
                    "scaleTargetRef": {"name": NAME}, "pollingInterval": 2, "cooldownPeriod": 10, "maxReplicaCount": 3,
                    "triggers": [trigger],
                },
            }),
        );
        self.send(1);
        let (clients, url) = (&self.objects.clients, self.stage.queue_url());
        self.stage.expect("a message is in work", 300, || (clients.queue(&url) == Ok((0, 1))).then_some(()));
        let is_cut_off =
            |event: &Value| event["involvedObject"]["name"] == NAME && event["reason"] == "KEDAScaleTargetDeactivated";
        let events = format!("/api/v1/namespaces/{}/events", WORKLOAD.0);
        self.stage.expect("the Deployment is scaled in", 300, || {
            let found = self.objects.get(&events).ok()?;
            found["items"].as_array()?.iter().any(is_cut_off).then_some(())
        });
        for collection in [SCALED_OBJECTS, DEPLOYMENTS] {
            self.objects.delete(&own(collection, NAME));
        }
        // A Job takes what came back.
        self.scaled_job(None, 9, &json!({}), &json!({}));
        self.stage.expect("the queue is empty", 900, || (clients.queue(&url) == Ok((0, 0))).then_some(()));
        let receipts = self.receipts();
        let again = receipts.iter().any(|one| one["outcome"] == "deleted" && one["receive_count"].as_u64() > Some(1));
        assert!(again, "its message was not received again: {receipts:#?}");
        self.stage.note("a Deployment's pod was interrupted at its work".to_owned());
        self.remove();
    }

    #[track_caller]
    fn end(self) {
        let go_on = json!({"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": null}}});
        self.objects.patch(&own(SCALED_OBJECTS, WORKLOAD.1), &go_on);
        self.objects.end();
        self.stage.comes_to_rest();
        self.stage.is_ready();
    }

    #[track_caller]
    fn send(&self, count: usize) {
        self.stage.workspace.run(&format!("send {count}")).with(0);
    }

    /// A ScaledJob of the stack's consumer, which takes one message, with at most `most` Jobs at a time; `trigger` and `strategy` are its own.
    #[track_caller]
    fn scaled_job(&self, work: Option<u64>, most: u32, trigger: &Value, strategy: &Value) {
        let mut source = self.trigger.clone();
        source["metadata"]["queueLength"] = "1".into();
        for (key, value) in trigger.as_object().unwrap() {
            source["metadata"][key] = value.clone();
        }
        let mut template = self.pods(work, true);
        template["metadata"] = json!({"labels": {"app": NAME}});
        let spec = json!({
            "jobTargetRef": {"template": template, "backoffLimit": 0},
            "pollingInterval": 2, "maxReplicaCount": most, "scalingStrategy": strategy, "triggers": [source],
        });
        let object = json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob", "metadata": {"name": NAME}, "spec": spec,
        });
        self.objects.post(SCALED_JOBS, &object);
        let mut seen = Value::Null;
        let ready = self.stage.until("the ScaledJob is ready", 120, || {
            seen = self.objects.get(&path()).unwrap_or_else(Value::from);
            (status(&seen, "Ready") == "True").then_some(())
        });
        ready.unwrap_or_else(|why| panic!("{why}: {seen:#}"));
    }

    /// The pods of the stack's consumer with work of so many seconds; `once`: for one message.
    fn pods(&self, work: Option<u64>, once: bool) -> Value {
        let mut template = self.template.clone();
        let container = &mut template["spec"]["containers"][0];
        if let Some(work) = work {
            for argument in container["args"].as_array_mut().unwrap() {
                if text(argument).starts_with("--work-seconds") {
                    *argument = format!("--work-seconds={work}").into();
                }
            }
        }
        if once {
            container["env"].as_array_mut().unwrap().push(json!({"name": "ONE_MESSAGE", "value": "1"}));
            template["spec"]["restartPolicy"] = "Never".into();
        }
        template
    }

    /// Deletes the ScaledJob; its Jobs and their pods go with it.
    #[track_caller]
    fn remove(&self) {
        self.objects.delete(&path());
        let mut seen = None;
        let gone = self.stage.until("the ScaledJob and its Jobs are gone", 240, || {
            seen = Some((self.objects.get(&path()), self.jobs().len(), self.own_pods().len()));
            matches!(&seen, Some((Err(why), 0, 0)) if why.contains("not found")).then_some(())
        });
        gone.unwrap_or_else(|why| panic!("{why}: {seen:?}"));
    }

    fn jobs(&self) -> Vec<Value> {
        self.list(&format!("/apis/batch/v1/namespaces/{}/jobs", WORKLOAD.0))
    }

    fn own_pods(&self) -> Vec<Value> {
        self.list(&format!("/api/v1/namespaces/{}/pods", WORKLOAD.0))
    }

    /// What of a collection carries the label that KEDA gives to Jobs and their pods.
    fn list(&self, collection: &str) -> Vec<Value> {
        let path = format!("{collection}?labelSelector=scaledjob.keda.sh%2Fname%3D{NAME}");
        let found = self.objects.call(Method::GET, &path, "application/json", None);
        let found = found.unwrap_or_else(|why| panic!("{path}: {why}"));
        found["items"].as_array().unwrap_or_else(|| panic!("{path}: {found}")).clone()
    }

    /// What the Jobs' pods say of messages.
    #[track_caller]
    fn receipts(&self) -> Vec<Value> {
        let logs = self.own_pods().into_iter().map(|pod| {
            self.objects
                .clients
                .log_end(WORKLOAD.0, &text(&pod["metadata"]["name"]))
                .unwrap_or_else(|why| panic!("{why}"))
        });
        let lines: Vec<Value> = logs
            .flat_map(|log| log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<_>>())
            .collect();
        lines.into_iter().filter(|line: &Value| line["receipt"] == 1).collect()
    }
}

const SCALED_JOBS: &str = "/apis/keda.sh/v1alpha1/namespaces/myproject/scaledjobs";
const SCALED_OBJECTS: &str = "/apis/keda.sh/v1alpha1/namespaces/myproject/scaledobjects";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/myproject/deployments";

/// The ScaledJob's.
fn path() -> String {
    own(SCALED_JOBS, NAME)
}

fn own(collection: &str, name: &str) -> String {
    format!("{collection}/{name}")
}

fn is_complete(job: &Value) -> bool {
    status(job, "Complete") == "True"
}

fn status(object: &Value, type_: &str) -> String {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == type_);
    found.map(|condition| text(&condition["status"])).unwrap_or_default()
}

/// The two Jobs that ended last; of those that ended in one second, the later names.
fn last_two(jobs: &[Value]) -> Vec<Value> {
    let mut jobs = jobs.to_vec();
    jobs.sort_by_key(|job| (text(&job["status"]["completionTime"]), text(&job["metadata"]["name"])));
    jobs.split_off(jobs.len() - 2)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
