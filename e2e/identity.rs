//! `sluice identity`: the chains that hold, and those that are broken by ordinary clients, with the statement that refuses.

use http::Request;
use serde_json::{Value, json};

use crate::scenarios::clients::Clients;
use crate::scenarios::stage::access_of;
use crate::workspace::Workspace;

const DENY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Sid":"No","Effect":"Deny","Action":"sqs:*","Resource":"*"}]}"#;

/// The links that do not hold, each with all that is said of it.
fn broken(workspace: &Workspace, code: i32) -> Vec<String> {
    let said = workspace.run("identity --output json").with(code).stdout;
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.last().unwrap()["live"], true, "{said}");
    let chains = lines.iter().filter(|line| line["type"] == "identity_chain");
    let all = chains.flat_map(|chain| chain["links"].as_array().unwrap());
    all.filter(|link| link["finding"] != "allowed").map(Value::to_string).collect()
}

#[test]
fn the_statement_that_refuses_is_named_with_its_repair() {
    let workspace = Workspace::new();
    let declared = workspace.run("identity").with(0).stdout;
    assert!(declared.contains("as the stack file declares it"), "{declared}");
    workspace.run("up").with(0);
    assert_eq!(broken(&workspace, 0), Vec::<String>::new());

    let clients = Clients::new(&workspace.stack_file("kubeconfig"), None, &access_of(&workspace));
    let deny = clients.iam.put_role_policy().role_name("e2e-sqs-scaler").policy_name("guard").policy_document(DENY);
    clients.ask(deny.send()).unwrap();
    let path = "/api/v1/namespaces/myproject/serviceaccounts/myapp";
    let change = json!({ "metadata": { "annotations": { "eks.amazonaws.com/role-arn": null } } }).to_string();
    let request = Request::patch(path).header("content-type", "application/merge-patch+json").body(change.into_bytes());
    clients.ask(clients.kube.request::<Value>(request.unwrap())).unwrap();
    let links = broken(&workspace, 4);
    let [denied, nameless] = links.as_slice() else { panic!("two links were broken: {links:#?}") };
    for part in ["\"denied\"", "statement No of inline policy guard of role e2e-sqs-scaler", "sqs:GetQueueAttributes"] {
        assert!(denied.contains(part), "{part}: {denied}");
    }
    for part in ["ServiceAccount myproject/myapp", "it has no annotation", "restart its pods"] {
        assert!(nameless.contains(part), "{part}: {nameless}");
    }
    // `up` writes its own again; what others added stays, and is named still.
    workspace.run("up").with(0);
    workspace.run("down").with(0);
    workspace.nothing_is_left();
}
