//! Rights on single objects.

use super::*;

#[tokio::test]
async fn a_list_or_watch_of_one_name_needs_a_right_on_that_name() {
    let server = server();
    let client = admin(&server);
    for name in ["mine", "other"] {
        client.create(CONFIG_MAPS, &config_map(name, &json!({}))).await.unwrap();
    }
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    let rule = json!({"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine"],
        "verbs": ["get", "list", "watch", "delete", "deletecollection"]});
    let narrow = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "narrow"}, "rules": [rule]});
    client.create(&format!("{rbac}/roles"), &narrow).await.unwrap();
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "narrow"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "narrow"},
        "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": "default"}]});
    client.create(&format!("{rbac}/rolebindings"), &binding).await.unwrap();
    let user = server.client(User::service_account("default", "app"));
    let list = user.list(&format!("{CONFIG_MAPS}?fieldSelector=metadata.name%3Dmine")).await.unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let mut watch = user.watch(CONFIG_MAPS, "fieldSelector=metadata.name%3Dmine").await.unwrap();
    assert_eq!(watch.next().await.unwrap().object["metadata"]["name"], "mine");
    let other = user.list(&format!("{CONFIG_MAPS}?fieldSelector=metadata.name%3Dother")).await.unwrap_err();
    assert_eq!(
        other.message(),
        "configmaps \"other\" is forbidden: User \"system:serviceaccount:default:app\" cannot list resource \"configmaps\" in \
         API group \"\" in the namespace \"default\""
    );
    for query in ["", "?fieldSelector=metadata.name!%3Dmine", "?labelSelector=a%3Db"] {
        assert_eq!(user.list(&format!("{CONFIG_MAPS}{query}")).await.unwrap_err().code(), 403, "{query}");
    }
    // The real server takes no name from the selector of a deletion.
    let selected = format!("{CONFIG_MAPS}?fieldSelector=metadata.name%3Dmine");
    assert_eq!(user.delete(&selected, None).await.unwrap_err().code(), 403);
}

#[tokio::test]
async fn a_question_about_a_selection_is_answered_and_a_wrong_one_refused() {
    let server = server();
    let client = admin(&server);
    let reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let review = |selector: Value| {
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {
            "resourceAttributes": {"verb": "list", "resource": "pods", "fieldSelector": selector}}})
    };
    let requirement = json!({"key": "spec.nodeName", "operator": "In", "values": ["x"]});
    let answer = client.create(reviews, &review(json!({"requirements": [requirement]}))).await.unwrap();
    assert_eq!(answer["status"]["allowed"], true);
    let both = json!({"rawSelector": "a=b", "requirements": [requirement]});
    for wrong in [both, json!({}), json!({"requirements": [{"key": "a", "operator": "In"}]})] {
        assert_eq!(refused(&client, reviews, &review(wrong.clone())).await.code(), 422, "{wrong}");
    }
}
