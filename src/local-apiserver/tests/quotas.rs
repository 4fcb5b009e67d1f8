//! LimitRanges and ResourceQuotas.

use super::*;

const PODS: &str = "/api/v1/namespaces/default/pods";
const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";

fn pod(name: &str, resources: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "x", "resources": resources}]}})
}

fn quota(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": spec})
}

async fn account(client: &Client) {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    client.create("/api/v1/namespaces/default/serviceaccounts", &account).await.unwrap();
}

#[tokio::test]
async fn a_limit_range_fills_in_and_refuses() {
    let server = server();
    let client = admin(&server);
    account(&client).await;
    let limit = json!({"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "250m"},
        "max": {"cpu": "1"}, "min": {"cpu": "100m"}, "maxLimitRequestRatio": {"cpu": "4"}});
    let range =
        json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": [limit]}});
    client.create("/api/v1/namespaces/default/limitranges", &range).await.unwrap();
    let made = client.create(PODS, &pod("filled", &json!({}))).await.unwrap();
    assert_eq!(
        made["spec"]["containers"][0]["resources"],
        json!({"limits": {"cpu": "500m"}, "requests": {"cpu": "250m"}})
    );
    assert_eq!(
        made["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    );
    for (resources, why) in [
        (json!({"limits": {"cpu": "2"}}), "maximum cpu usage per Container is 1, but limit is 2"),
        (
            json!({"requests": {"cpu": "50m"}, "limits": {"cpu": "100m"}}),
            "minimum cpu usage per Container is 100m, but request is 50m",
        ),
        (
            json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "500m"}}),
            "cpu max limit to request ratio per Container is 4, but provided ratio is 5.000000",
        ),
    ] {
        let refusal = refused(&client, PODS, &pod("p", &resources)).await;
        assert_eq!((refusal.code(), refusal.message()), (403, format!("pods \"p\" is forbidden: {why}").as_str()));
    }
}

#[tokio::test]
async fn a_quota_counts_what_is_there_and_refuses_what_is_too_much() {
    let server = server();
    let client = admin(&server);
    account(&client).await;
    let hard = json!({"pods": "2", "requests.cpu": "1", "count/configmaps": "1"});
    let made = client.create(QUOTAS, &quota("q", &json!({"hard": hard}))).await.unwrap();
    assert_eq!(made["spec"]["hard"], hard);
    let used = async || client.get(&format!("{QUOTAS}/q")).await.unwrap()["status"]["used"].clone();
    assert_eq!(used().await, json!({"pods": "0", "requests.cpu": "0", "count/configmaps": "0"}));
    let refusal = refused(&client, PODS, &pod("p", &json!({}))).await;
    assert_eq!(refusal.message(), "pods \"p\" is forbidden: failed quota: q: must specify requests.cpu for: c");
    let half = json!({"requests": {"cpu": "500m"}});
    client.create(PODS, &pod("one", &half)).await.unwrap();
    let refusal = refused(&client, PODS, &pod("two", &json!({"requests": {"cpu": "600m"}}))).await;
    assert_eq!(
        refusal.message(),
        "pods \"two\" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=500m, limited: requests.cpu=1"
    );
    client.create(PODS, &pod("two", &half)).await.unwrap();
    let refusal = refused(&client, PODS, &pod("three", &half)).await;
    assert!(
        refusal.message().ends_with(
            "requested: pods=1,requests.cpu=500m, used: pods=2,requests.cpu=1, limited: pods=2,requests.cpu=1"
        ),
        "{refusal}"
    );
    // A pod that has ended uses nothing any more, and one that is gone neither.
    let ended = json!({"status": {"phase": "Succeeded"}});
    client.patch(&format!("{PODS}/one/status"), PatchType::Merge, &ended).await.unwrap();
    assert_eq!(used().await["pods"], "1");
    client.delete(&format!("{PODS}/two"), None).await.unwrap();
    assert_eq!(used().await["requests.cpu"], "0");
    client.create(CONFIG_MAPS, &config_map("a", &json!({}))).await.unwrap();
    let refusal = refused(&client, CONFIG_MAPS, &config_map("b", &json!({}))).await;
    assert!(
        refusal.message().contains("exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=1"),
        "{refusal}"
    );
    let dry = client.create(&format!("{PODS}?dryRun=All"), &pod("dry", &half)).await;
    assert!(dry.is_ok() && used().await["pods"] == "0");
}

#[tokio::test]
async fn a_quota_with_scopes_counts_some_pods_only() {
    let server = server();
    let client = admin(&server);
    account(&client).await;
    let spec = json!({"hard": {"pods": "0"}, "scopes": ["BestEffort"]});
    client.create(QUOTAS, &quota("q", &spec)).await.unwrap();
    assert_eq!(refused(&client, PODS, &pod("p", &json!({}))).await.code(), 403);
    client.create(PODS, &pod("p", &json!({"requests": {"cpu": "1m"}}))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_writers_do_not_take_the_same_last_place() {
    let server = server();
    let client = admin(&server);
    client.create(QUOTAS, &quota("q", &json!({"hard": {"configmaps": "3"}}))).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..16 {
        let client = client.clone();
        writers.spawn(async move {
            client.create(CONFIG_MAPS, &config_map(&format!("c{number}"), &json!({}))).await.is_ok()
        });
    }
    assert_eq!(writers.join_all().await.into_iter().filter(|made| *made).count(), 3);
}
