//! Several replicas of the operator: they answer alike, and only the leader writes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use serde_json::{Value, json};

use crate::scenarios::clients::OPERATOR;
use crate::scenarios::objects::{NAMESPACE, Objects, authentication, autoscaler, keda};
use crate::scenarios::stage::Stage;
use crate::workspace::signal;

const REPLICAS: usize = 3;
/// Leaders that are ended, every other one without a chance to give its lease back. On the local target fewer: all of it runs in
/// each `cargo test`.
const ENDED: usize = 20;
const ENDED_LOCALLY: usize = 6;
/// ScaledObjects that change meanwhile.
const CHANGING: usize = 4;
const ACCOUNT: &str = "system:serviceaccount:keda:keda-operator";

/// With cached metrics all replicas answer with a value of the last interval, and a replaced credential counts for all.
pub(crate) fn answer_alike(stage: &Stage) {
    let objects = Objects::begin(stage);
    objects.operators(REPLICAS);
    let token = reader(&objects);
    objects.deployment("cached", 1);
    let url = objects.scaled("cached", "cached", &json!({"minReplicaCount": 1}));
    let path = format!("{}/cached", keda("scaledobjects"));
    let mut triggers = objects.get(&path).unwrap()["spec"]["triggers"].clone();
    triggers[0]["useCachedMetrics"] = json!(true);
    objects.patch(&path, &json!({"spec": {"triggers": triggers}}));
    objects.is_ready("cached", "True");
    let metric =
        objects.get(&autoscaler("keda-hpa-cached")).unwrap()["spec"]["metrics"][0]["external"]["metric"]["name"]
            .clone();
    let path = format!(
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/{}?labelSelector=scaledobject.keda.sh%2Fname%3Dcached",
        metric.as_str().unwrap()
    );
    let all = |what: &str, wanted: &dyn Fn(&Result<String, String>) -> bool| {
        let mut seen = BTreeMap::new();
        let found = stage.until(what, 120, || {
            for (pod, address) in objects.operator_addresses() {
                let answer = objects.clients.metrics_of(&address, &token, &path);
                let value = answer.map(|list| list["items"][0]["value"].as_str().unwrap_or_default().to_owned());
                seen.insert(pod, value);
            }
            (seen.len() == REPLICAS && seen.values().all(wanted)).then_some(())
        });
        found.unwrap_or_else(|why| panic!("{why}: {seen:?}"));
    };
    all("an answer of 0 from each", &|value| value.as_deref() == Ok("0"));
    objects.clients.send(&url, 6).unwrap();
    all("an answer of 6 from each", &|value| value.as_deref() == Ok("6"));
    let keys = format!("{}/keys", keda("triggerauthentications"));
    objects.patch(&keys, &json!({"spec": authentication("wrong")["spec"]}));
    all("a refusal from each", &Result::is_err);
    objects.patch(&keys, &json!({"spec": authentication("secret")["spec"]}));
    all("an answer of 6 from each again", &|value| value.as_deref() == Ok("6"));
    stage.note(format!("{REPLICAS} replicas answer 0, 6, a refusal and 6 alike"));
    objects.end();
    stage.up("");
    stage.is_ready();
}

/// A token of a ServiceAccount that may read external metrics of the namespace.
fn reader(objects: &Objects<'_>) -> String {
    let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}");
    objects.post(&format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts"), &json!({"metadata": {"name": "reader"}}));
    let rules = json!([{"apiGroups": ["external.metrics.k8s.io"], "resources": ["*"], "verbs": ["get", "list"]}]);
    objects.post(&format!("{rbac}/roles"), &json!({"metadata": {"name": "reader"}, "rules": rules}));
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"});
    let subjects = json!([{"kind": "ServiceAccount", "name": "reader", "namespace": NAMESPACE}]);
    let binding = json!({"metadata": {"name": "reader"}, "roleRef": role, "subjects": subjects});
    objects.post(&format!("{rbac}/rolebindings"), &binding);
    objects.clients.token(NAMESPACE, "reader", None).unwrap()
}

/// Leaders are killed and ended one after another while objects change: the audit log has no write by any other replica.
pub(crate) fn only_the_leader_writes(stage: &Stage) {
    let log = stage.audit_log().unwrap();
    let begun = std::fs::metadata(&log).unwrap().len();
    let objects = Objects::begin(stage);
    objects.operators(REPLICAS);
    // A leader that was killed is waited for as long as its lease lasts.
    let timing = [
        ("KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION", "6s".to_owned()),
        ("KEDA_OPERATOR_LEADER_ELECTION_RENEW_DEADLINE", "4s".to_owned()),
        ("KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD", "1s".to_owned()),
    ];
    if stage.suite.is_real_kubernetes() {
        objects.operator_with(&timing);
        objects.operators_are_ready(REPLICAS);
    }
    for number in 0..CHANGING {
        let name = format!("changing-{number}");
        objects.deployment(&name, 1);
        objects.scaled(&name, &name, &json!({"minReplicaCount": 1}));
    }
    let mut changes = 0;
    let mut change = || {
        changes += 1;
        let path = format!("{}/changing-{}", keda("scaledobjects"), changes % CHANGING);
        objects.patch(&path, &json!({"spec": {"maxReplicaCount": 3 + changes % 5}}));
    };
    let ended = if stage.suite.is_real_kubernetes() { ENDED } else { ENDED_LOCALLY };
    for turn in 0..ended {
        // One that has ended by itself is followed by another, who is waited for.
        let (holder, process) = stage.expect("a leader that runs", 120, || {
            let (holder, _) = objects.clients.leader().ok()?;
            let process = process_of(&holder)?;
            objects.operator_addresses().contains_key(&holder).then_some((holder, process))
        });
        if turn % 2 == 0 {
            signal(process, "-KILL");
            objects.clients.kill_pod(OPERATOR.0, &holder).unwrap();
        } else {
            objects.delete(&format!("/api/v1/namespaces/{}/pods/{holder}", OPERATOR.0));
        }
        stage.expect("another leader", 180, || {
            change();
            objects.clients.leader().ok().filter(|(now, _)| *now != holder && !now.is_empty())
        });
    }
    // The last leader has accepted what was changed last.
    for number in 0..CHANGING {
        objects.is_ready(&format!("changing-{number}"), "True");
    }
    objects.end();
    let said = Writes::read(&log, begun);
    // The first may have been ended before it renewed the lease again; each of the others has taken it.
    assert!(said.leaders.len() >= ended, "{} changes of the leader in {}", said.leaders.len(), log.display());
    let pods: BTreeSet<_> = said.writes.iter().map(|write| &write.pod).collect();
    assert!(pods.len() > REPLICAS, "only {} of the leaders wrote: {pods:?}", pods.len());
    let foreign = said.foreign();
    assert!(foreign.is_empty(), "written by who did not lead:\n{}", foreign.join("\n"));
    stage.note(format!(
        "{ended} leaders ended, {changes} changes, {} writes by {} pods, none by others",
        said.writes.len(),
        pods.len()
    ));
    if stage.suite.is_real_kubernetes() {
        objects.operator_without(&timing);
    }
    stage.up("");
    stage.is_ready();
}

/// The process of this machine that runs a pod's operator; `None` once it has ended.
fn process_of(pod: &str) -> Option<u32> {
    let variable = format!("POD_NAME={pod}");
    let runs = |pid: u32| {
        let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let is_operator = read("cmdline").split(|byte| *byte == 0).nth(1) == Some(b"operator");
        is_operator && read("environ").split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(|pid| runs(*pid))
}

/// A write that an operator sent.
struct Write {
    /// When it arrived; texts of one format, so they compare as times do.
    at: String,
    pod: String,
    what: String,
}

/// What the audit log says of the operators.
#[derive(Default)]
struct Writes {
    /// Who has written the lease since when, changes only.
    leaders: Vec<(String, String)>,
    writes: Vec<Write>,
}

impl Writes {
    fn read(log: &Path, begun: u64) -> Self {
        let mut file = std::fs::File::open(log).unwrap();
        file.seek(SeekFrom::Start(begun)).unwrap();
        let mut this = Self::default();
        for line in BufReader::new(file).lines() {
            let Ok(event) = serde_json::from_str::<Value>(&line.unwrap()) else { continue };
            if event["stage"] == "ResponseComplete" && event["user"]["username"] == ACCOUNT {
                this.add(&event);
            }
        }
        this.leaders.sort();
        this.leaders.dedup_by(|later, earlier| later.1 == earlier.1);
        this
    }

    fn add(&mut self, event: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (verb, resource) = (text(&event["verb"]), text(&event["objectRef"]["resource"]));
        if matches!(verb.as_str(), "get" | "list" | "watch") || resource.ends_with("reviews") {
            return;
        }
        let pod = text(&event["user"]["extra"]["authentication.kubernetes.io/pod-name"][0]);
        assert!(!pod.is_empty(), "the token names no pod: {event}");
        match resource.as_str() {
            "leases" if event["responseStatus"]["code"].as_u64().is_some_and(|code| code < 300) => {
                self.leaders.push((text(&event["stageTimestamp"]), pod));
            }
            // Each replica keeps the certificate and its announcement.
            "leases" | "secrets" | "apiservices" => {}
            _ => {
                let what = format!("{verb} {resource} {}", event["objectRef"]["name"]);
                self.writes.push(Write { at: text(&event["requestReceivedTimestamp"]), pod, what });
            }
        }
    }

    /// Writes that arrived after another replica had taken the lease.
    fn foreign(&self) -> Vec<String> {
        let foreign = self.writes.iter().filter_map(|write| {
            let (since, leader) = self.leaders.iter().rev().find(|(since, _)| *since < write.at)?;
            (*leader != write.pod)
                .then(|| format!("{} {} {} (since {since} {leader} leads)", write.at, write.pod, write.what))
        });
        foreign.collect()
    }
}

#[test]
fn a_write_after_another_has_taken_the_lease_is_found() {
    let event = |pod: &str, resource: &str, at: &str| {
        let extra = json!({"authentication.kubernetes.io/pod-name": [pod]});
        json!({
            "verb": "patch", "objectRef": {"resource": resource, "name": "orders"}, "responseStatus": {"code": 200},
            "user": {"extra": extra}, "requestReceivedTimestamp": at, "stageTimestamp": at,
        })
    };
    let mut writes = Writes::default();
    for (pod, resource, second) in [
        ("a", "leases", 1),
        ("a", "events", 2),
        ("b", "leases", 3),
        ("b", "events", 4),
        ("b", "secrets", 4),
        ("a", "secrets", 5),
    ] {
        writes.add(&event(pod, resource, &format!("2026-01-01T00:00:0{second}.000000Z")));
    }
    assert_eq!(writes.foreign(), Vec::<String>::new());
    writes.add(&event("a", "scaledobjects", "2026-01-01T00:00:05.000000Z"));
    let found = writes.foreign();
    assert!(matches!(found.as_slice(), [one] if one.contains("a patch scaledobjects")), "{found:?}");
}
