//! The recorded requests to an API server, made again of the local one.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Answer, Http};
use super::comparison::differences;
use super::local::{Cluster, Local};
use super::recording::{Exchange, Recording, resolved};
use super::rules::Rules;
use crate::workspace::wait_until;

/// As whom the recorded requests were made, and where: their answers name both.
const DRIVER: (&str, &str) = ("parity-driver", "driver");
const NAMESPACE: &str = "parity";
/// Real time for what a controller does in between.
const POLL_LIMIT: Duration = Duration::from_secs(90);

pub(crate) struct Replay {
    http: Http,
    server: String,
    /// The driver's.
    token: String,
    rules: Rules,
}

impl Replay {
    /// A new cluster with the driver and its namespace.
    pub(crate) fn new(local: &Local) -> Self {
        let Cluster { server, authority, token } = local.cluster();
        let mut replay = Self { http: Http::new(&authority), server, token, rules: Rules::new() };
        let (namespace, account) = DRIVER;
        let rbac = "rbac.authorization.k8s.io";
        for name in [namespace, NAMESPACE] {
            replay.make("/api/v1/namespaces", &json!({"metadata": {"name": name}}));
        }
        replay
            .make(&format!("/api/v1/namespaces/{namespace}/serviceaccounts"), &json!({"metadata": {"name": account}}));
        replay.make(
            &format!("/apis/{rbac}/v1/clusterrolebindings"),
            &json!({
                "metadata": {"name": namespace}, "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
            }),
        );
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let made = replay.make(&path, &json!({"spec": {}}));
        made["status"]["token"].as_str().unwrap().clone_into(&mut replay.token);
        let account =
            json!({"method": "GET", "path": format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default")});
        wait_until("the namespace has its ServiceAccount", POLL_LIMIT, || {
            (replay.send(&account).status == 200).then_some(())
        })
        .unwrap_or_else(|why| panic!("{why}"));
        replay
    }

    fn make(&self, path: &str, body: &Value) -> Value {
        let answer = self.send(&json!({"method": "POST", "path": path, "body": body}));
        assert_eq!(answer.status, 201, "POST {path}: {}", answer.text);
        answer.json().unwrap()
    }

    /// The differences of all its answers, and which requests they answer.
    pub(crate) fn run(&mut self, recording: &Recording) -> Vec<String> {
        let mut answers: Vec<Value> = Vec::new();
        let mut wrong = Vec::new();
        for exchange in &recording.exchanges {
            let request = match resolved(&exchange.request, &answers) {
                Ok(request) => request,
                Err(why) => {
                    wrong.push(format!("{}: {why}", exchange.label));
                    answers.push(Value::Null);
                    continue;
                }
            };
            let what = format!("{} ({} {})", exchange.label, text(&request, "method"), text(&request, "path"));
            let (answer, found) = self.exchange(exchange, &request, &recording.test);
            wrong.extend(found.into_iter().map(|line| format!("{what}{line}")));
            answers.push(answer);
        }
        wrong
    }

    /// The answer's body, and in what it differs. What a test waited for is waited for here.
    fn exchange(&self, exchange: &Exchange, request: &Value, test: &str) -> (Value, Vec<String>) {
        let mut last = (Value::Null, Vec::new());
        let mut look = || {
            let answer = self.value(&self.send(request));
            let body = answer["body"].clone();
            let comparable = match (exchange.expected.get("headers"), answer["status"].as_u64()) {
                (Some(_), _) => self.rules.comparable(answer, test, &exchange.label),
                // A step on the way: others may have made the object.
                (None, Some(200 | 201)) => json!({"status": "done"}),
                (None, other) => json!({"status": other}),
            };
            last = (body, differences(&exchange.expected, &comparable));
            last.1.is_empty().then_some(())
        };
        if request["until"] == true {
            // The differences of the last answer say more than that time ran out.
            let _ = wait_until("it is as recorded", POLL_LIMIT, look);
        } else {
            look();
        }
        last
    }

    fn send(&self, request: &Value) -> Answer {
        let given = |name: &str, default: &str| request[name].as_str().unwrap_or(default).to_owned();
        let mut headers = vec![
            ("Accept".to_owned(), given("accept", "application/json")),
            ("User-Agent".to_owned(), "parity/1".to_owned()),
        ];
        let own = request["headers"].as_object();
        if own.is_none_or(|own| !own.contains_key("Authorization")) {
            headers.push(("Authorization".to_owned(), format!("Bearer {}", given("token", &self.token))));
        }
        for (name, value) in own.into_iter().flatten() {
            headers.push((name.clone(), value.as_str().unwrap().to_owned()));
        }
        let body = match request.get("body") {
            None => String::new(),
            // As it was sent, JSON or not.
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        if request.get("body").is_some() {
            headers.push(("Content-Type".to_owned(), given("content", "application/json")));
        }
        let url = format!("{}{}", self.server, text(request, "path"));
        self.http.ask(&text(request, "method"), &url, &headers, &body)
    }

    /// The answer as recordings have it: the events of a watch are a list.
    fn value(&self, answer: &Answer) -> Value {
        let events = || -> Option<Value> {
            let lines = answer.text.starts_with('{').then(|| answer.text.lines())?;
            lines.map(|line| serde_json::from_str(line).ok()).collect::<Option<Vec<Value>>>().map(Value::Array)
        };
        let body = answer.json().or_else(events).unwrap_or_else(|| answer.text.clone().into());
        let kept = self.rules.headers.iter().map(|name| (name.clone(), answer.header(name)));
        let headers: serde_json::Map<String, Value> =
            kept.filter(|(_, values)| !values.is_empty()).map(|(name, values)| (name, values.into())).collect();
        json!({"status": answer.status, "headers": headers, "body": body})
    }
}

fn text(request: &Value, name: &str) -> String {
    request[name].as_str().unwrap_or_default().to_owned()
}
