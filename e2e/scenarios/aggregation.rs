//! The operator's API is one of the cluster's: discovery is whole and fresh, and what needs it whole goes on.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use serde_json::Value;

use crate::scenarios::clients::{Answer, Clients};
use crate::scenarios::env;
use crate::scenarios::stage::Stage;
use crate::workspace::{moment, wait_until};

const GROUP: &str = "external.metrics.k8s.io";
const NAMESPACE: &str = "e2e-unrelated";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
/// Real time from the deletion of a namespace to its end.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// Namespaces that are made and deleted, one after another.
const NAMESPACES: usize = 3;

/// A namespace that has nothing to do with the stack is deleted in seconds; discovery is fresh, OpenAPI is there, and the API
/// server has not complained since the stack came up.
pub(crate) fn namespace_goes(stage: &Stage) {
    let clients = stage.clients();
    assert_eq!(freshness(&clients), Ok(("Current".to_owned(), vec!["externalmetrics".to_owned()])));
    let index = get(&clients, "/openapi/v3", "application/json").unwrap();
    assert!(index["paths"][format!("apis/{GROUP}/v1beta1")].is_object(), "{index}");

    let namespaces: Api<Namespace> = Api::all(clients.kube.clone());
    let mut longest = Duration::ZERO;
    for _ in 0..NAMESPACES {
        let metadata = ObjectMeta { name: Some(NAMESPACE.to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata: metadata.clone(), ..Namespace::default() };
        clients.ask(namespaces.create(&PostParams::default(), &namespace)).unwrap();
        let content: Api<ConfigMap> = Api::namespaced(clients.kube.clone(), NAMESPACE);
        let held = ConfigMap { metadata, ..ConfigMap::default() };
        clients.ask(content.create(&PostParams::default(), &held)).unwrap();
        let begun = moment();
        clients.ask(namespaces.delete(NAMESPACE, &DeleteParams::default())).unwrap();
        let mut seen = None;
        let gone = wait_until("the namespace is gone", GONE_WITHIN, || {
            seen = clients.ask(namespaces.get_opt(NAMESPACE)).ok()?;
            seen.is_none().then_some(())
        });
        let status = seen.and_then(|namespace| namespace.status);
        gone.unwrap_or_else(|why| panic!("{why}: {:#?}", status.and_then(|status| status.conditions)));
        longest = longest.max(begun.elapsed());
    }
    let complaints = complaints(stage);
    assert!(complaints.is_empty(), "the API server says:\n{}", complaints.join("\n"));
    stage.note(format!("{NAMESPACES} namespaces gone, the slowest in {longest:.1?}; discovery is Current"));
}

/// The freshness of the operator's version in aggregated discovery, and the names of its resources.
fn freshness(clients: &Clients) -> Answer<(String, Vec<String>)> {
    let list = get(clients, "/apis", AGGREGATED)?;
    let groups = list["items"].as_array().ok_or("no list of groups")?;
    let group = groups.iter().find(|group| group["metadata"]["name"] == GROUP).ok_or("the group is missing")?;
    let version = &group["versions"][0];
    let names = version["resources"].as_array().into_iter().flatten();
    let names = names.filter_map(|resource| resource["resource"].as_str()).map(str::to_owned);
    Ok((version["freshness"].as_str().unwrap_or_default().to_owned(), names.collect()))
}

fn get(clients: &Clients, path: &str, accept: &str) -> Answer<Value> {
    let request = http::Request::get(path).header("accept", accept).body(Vec::new()).unwrap();
    clients.ask(clients.kube.request::<Value>(request))
}

/// How long the API server's log is, where it is known.
pub(crate) fn log_length() -> Option<u64> {
    Some(std::fs::metadata(PathBuf::from(env::get(env::APISERVER_LOG)?)).unwrap().len())
}

/// The errors about the operator's API in the API server's log since the stack came up.
fn complaints(stage: &Stage) -> Vec<String> {
    let Some((from, path)) = stage.log_begins.get().zip(env::get(env::APISERVER_LOG)) else { return Vec::new() };
    let mut file = std::fs::File::open(path).unwrap();
    file.seek(SeekFrom::Start(from)).unwrap();
    let mut text = Vec::new();
    file.read_to_end(&mut text).unwrap();
    let text = String::from_utf8_lossy(&text);
    // As the library's logger marks them: I, W, E or F, then the date.
    text.lines().filter(|line| line.starts_with('E') && line.contains(GROUP)).map(str::to_owned).collect()
}
