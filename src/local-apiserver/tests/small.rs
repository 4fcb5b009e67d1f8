//! Small things in which clients see a real server.

use super::*;

#[tokio::test]
async fn pages_show_the_state_of_the_first_one_and_take_no_other_version() {
    let server = server();
    let client = admin(&server);
    for name in ["a", "b", "c"] {
        client.create(CONFIG_MAPS, &config_map(name, &json!({}))).await.unwrap();
    }
    let first = client.list(&format!("{CONFIG_MAPS}?limit=1")).await.unwrap();
    let token = first["metadata"]["continue"].as_str().unwrap();
    client.delete(&format!("{CONFIG_MAPS}/b"), None).await.unwrap();
    let rest = client.list(&format!("{CONFIG_MAPS}?continue={token}")).await.unwrap();
    let names: Vec<&Value> = rest["items"].as_array().unwrap().iter().map(|one| &one["metadata"]["name"]).collect();
    assert_eq!(names, ["b", "c"]);
    assert_eq!(rest["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let refused = client.list(&format!("{CONFIG_MAPS}?continue={token}&resourceVersion=1")).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (400, "specifying resource version is not allowed when using continue")
    );
}

#[tokio::test]
async fn a_page_goes_on_after_five_thousand_changes_of_its_kind() {
    let server = server();
    let client = admin(&server);
    for name in ["a", "b", "c"] {
        client.create(CONFIG_MAPS, &config_map(name, &json!({}))).await.unwrap();
    }
    let first = client.list(&format!("{CONFIG_MAPS}?limit=1")).await.unwrap();
    let token = first["metadata"]["continue"].as_str().unwrap();
    for number in 0..5000 {
        let patch = json!({"data": {"n": number.to_string()}});
        client.patch(&format!("{CONFIG_MAPS}/b"), PatchType::Merge, &patch).await.unwrap();
    }
    let rest = client.list(&format!("{CONFIG_MAPS}?continue={token}")).await.unwrap();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["items"][0]["data"]), (2, &json!(null)));
}

#[tokio::test]
async fn an_exact_version_is_that_version_or_expired() {
    let (clock, handle) = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
    let server = server_at(clock);
    let client = admin(&server);
    let one = client.create(CONFIG_MAPS, &config_map("one", &json!({"a": "1"}))).await.unwrap();
    let version = one["metadata"]["resourceVersion"].as_str().unwrap();
    client.patch(&format!("{CONFIG_MAPS}/one"), PatchType::Merge, &json!({"data": {"a": "2"}})).await.unwrap();
    let exact = format!("{CONFIG_MAPS}?resourceVersion={version}&resourceVersionMatch=Exact");
    let list = client.list(&exact).await.unwrap();
    assert_eq!((&list["items"][0]["data"]["a"], &list["metadata"]["resourceVersion"]), (&json!("1"), &json!(version)));
    handle.advance(PAST_COMPACTION);
    client.patch(&format!("{CONFIG_MAPS}/one"), PatchType::Merge, &json!({"data": {"a": "3"}})).await.unwrap();
    let gone = client.list(&exact).await.unwrap_err();
    assert_eq!((gone.code(), gone.reason()), (410, "Expired"));
}

#[tokio::test]
async fn aggregated_roles_show_the_rules_that_they_select() {
    let server = server();
    let client = admin(&server);
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let role = |name: &str, more: Value| {
        let mut role =
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}});
        role.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        role
    };
    let selects = json!({"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "all"}}]}});
    client.create(roles, &role("all", selects)).await.unwrap();
    let granted = json!({"apiGroups": ["example.com"], "resources": ["bugs"], "verbs": ["get"]});
    let mut part = role("part", json!({"rules": [granted]}));
    part["metadata"]["labels"] = json!({"to": "all", "rbac.authorization.k8s.io/aggregate-to-view": "true"});
    client.create(roles, &part).await.unwrap();
    assert_eq!(client.get(&format!("{roles}/all")).await.unwrap()["rules"], json!([granted]));
    let view = client.get(&format!("{roles}/view")).await.unwrap();
    assert!(view["rules"].as_array().unwrap().contains(&granted) && view["rules"].as_array().unwrap().len() > 1);
    client.delete(&format!("{roles}/part"), None).await.unwrap();
    assert_eq!(client.get(&format!("{roles}/all")).await.unwrap()["rules"], json!([]));
}

#[tokio::test]
async fn a_verbose_health_page_names_its_checks() {
    let server = server();
    let client = admin(&server);
    let page = client.get("/livez?verbose&exclude=log").await.unwrap();
    assert_eq!(page, "[+]ping ok\n[+]log excluded: ok\n[+]etcd ok\nlivez check passed\n");
    assert_eq!(client.get("/readyz/ping").await.unwrap(), "ok");
}

#[tokio::test]
async fn a_docker_config_is_json() {
    let server = server();
    let client = admin(&server);
    let secret = |text: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
        "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": text}})
    };
    let secrets = "/api/v1/namespaces/default/secrets";
    let refusal = refused(&client, secrets, &secret("no json")).await;
    assert_eq!(
        (refusal.code(), refusal.message()),
        (
            422,
            "Secret \"s\" is invalid: data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": invalid character \
             'o' in literal null (expecting 'u')"
        )
    );
    client.create(secrets, &secret("{}")).await.unwrap();
}
