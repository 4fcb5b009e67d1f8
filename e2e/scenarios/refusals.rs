//! Who may not is refused, in the service's own words, and `sluice verify` says by what. Each begins where `verify` passes.

use percent_encoding::percent_decode_str;

use crate::scenarios::clients::OPERATOR;
use crate::scenarios::stage::Stage;

const OPERATOR_ROLE: &str = "e2e-keda-operator";
const SCALER_ROLE: &str = "e2e-sqs-scaler";
const AUDIENCE: &str = "sts.amazonaws.com";
const OPERATOR_SUBJECT: &str = "system:serviceaccount:keda:keda-operator";

/// Who shows a wrong secret, or a token that is not the role's own, gets nothing; who shows the right ones, does.
pub(crate) fn credentials(stage: &Stage) {
    let clients = stage.clients();
    let access = stage.access();
    assert!(clients.who_with_secret(&access, &access.secret).unwrap().starts_with("arn:aws:"));
    let words = clients.who_with_secret(&access, "wrong").unwrap_err();
    assert!(words.contains("SignatureDoesNotMatch"), "{words}");

    let role = clients.ask(clients.iam.get_role().role_name(OPERATOR_ROLE).send()).unwrap().role.unwrap();
    let token = |(namespace, account), audience| clients.token(namespace, account, Some(audience)).unwrap();
    let own = token(OPERATOR, AUDIENCE);
    let assumed = clients.assume(&role.arn, &own).unwrap();
    assert!(assumed.ends_with(&format!("assumed-role/{OPERATOR_ROLE}/e2e")), "{assumed}");
    // The claims of one with the signature of another.
    let other = token(("default", "default"), AUDIENCE);
    let (claims, signature) = (own.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    for (what, token, words) in [
        ("another ServiceAccount's", other.clone(), "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
        ("one for another audience", token(OPERATOR, "somebody.else"), "InvalidIdentityToken"),
        ("a forged one", format!("{claims}.{signature}"), "InvalidIdentityToken"),
        ("none at all", "nonsense".to_owned(), "InvalidIdentityToken"),
    ] {
        let said = clients.assume(&role.arn, &token).unwrap_err();
        assert!(said.contains(words), "{what}: {said}");
    }
    stage.note("wrong secret, and 4 tokens that are not the role's own, refused; the right ones taken".to_owned());
}

/// The operator's role trusts another ServiceAccount.
pub(crate) fn trust(stage: &Stage) {
    proven(stage);
    let clients = stage.clients();
    let role = clients.ask(clients.iam.get_role().role_name(OPERATOR_ROLE).send()).unwrap().role.unwrap();
    let policy = role.assume_role_policy_document.unwrap();
    let policy = percent_decode_str(&policy).decode_utf8().unwrap();
    let broken = policy.replace(OPERATOR_SUBJECT, "system:serviceaccount:keda:somebody-else");
    assert_ne!(broken, policy, "the policy names another subject than expected");
    let update = clients.iam.update_assume_role_policy().role_name(OPERATOR_ROLE).policy_document(broken);
    clients.ask(update.send()).unwrap();
    // Credentials that it has are good for a while yet; its successor must ask.
    replace_operator(stage);
    refused(
        stage,
        &[OPERATOR_ROLE, OPERATOR_SUBJECT, "sts:AssumeRoleWithWebIdentity", "statement", "StringEquals"],
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    );
    restored(stage);
}

/// The role that reads the queue's depth may not.
pub(crate) fn policy(stage: &Stage) {
    proven(stage);
    let clients = stage.clients();
    let names = clients.ask(clients.iam.list_role_policies().role_name(SCALER_ROLE).send()).unwrap().policy_names;
    let [name] = names.as_slice() else { panic!("one inline policy was expected: {names:?}") };
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Else","Effect":"Allow","Action":"sqs:GetQueueUrl","Resource":"*"}]}"#;
    let put = clients.iam.put_role_policy().role_name(SCALER_ROLE).policy_name(name).policy_document(policy);
    clients.ask(put.send()).unwrap();
    refused(
        stage,
        &[&format!("assumed-role/{SCALER_ROLE}/"), SCALER_ROLE, "sqs:getqueueattributes", "Else"],
        "because no identity-based policy allows the sqs:getqueueattributes action",
    );
    restored(stage);
}

/// Nothing is granted to the operator's ServiceAccount any more.
pub(crate) fn rbac(stage: &Stage) {
    proven(stage);
    let clients = stage.clients();
    let words = clients.list_pods_with(clients.token("default", "default", None).unwrap()).unwrap_err();
    let said = "pods is forbidden: User \"system:serviceaccount:default:default\" cannot list resource \"pods\"";
    assert!(words.contains(said), "{words}");
    clients.delete_cluster_role_binding("keda-operator").unwrap();
    clients.kill_pod(OPERATOR.0, &stage.operator()).unwrap();
    refused(stage, &["is forbidden", OPERATOR_SUBJECT, "cannot"], "is forbidden: User");
    restored(stage);
}

/// Without a pass before it, a refusal proves nothing.
fn proven(stage: &Stage) {
    if !stage.proven.get() {
        stage.verify(0);
        stage.proven.set(true);
    }
    stage.is_ready();
}

/// The operator's pod gives way to a new one, which leads as soon as the lease of the one that died has run out.
fn replace_operator(stage: &Stage) {
    let clients = stage.clients();
    let before = stage.operator();
    clients.kill_pod(OPERATOR.0, &before).unwrap();
    stage.expect("another operator leads", 180, || {
        let holder = clients.leader().ok()?.0;
        (holder != before && holder == stage.operator()).then_some(())
    });
}

/// `sluice verify` fails the identity's check with all of these in what it saw, and the service's words.
#[track_caller]
fn refused(stage: &Stage, parts: &[&str], words: &str) {
    let ended = stage.verify(4);
    let report = stage.report();
    let verdicts = report["verdicts"].as_array().unwrap();
    let identity = verdicts.iter().find(|verdict| verdict["name"] == "identity-accepted").unwrap();
    assert_eq!(identity["outcome"], "fail", "{}", ended.stdout);
    let saw = identity["saw"].as_str().unwrap();
    for part in parts.iter().chain([&words]) {
        assert!(saw.to_lowercase().contains(&part.to_lowercase()), "{part:?} is not in what was seen: {saw}");
    }
    stage.note(format!("exit 4, saw {saw:?}"));
}

/// `up` puts back what was changed behind its back, and what was sent meanwhile is worked.
#[track_caller]
fn restored(stage: &Stage) {
    stage.up("");
    replace_operator(stage);
    stage.is_ready();
    stage.comes_to_rest();
}
