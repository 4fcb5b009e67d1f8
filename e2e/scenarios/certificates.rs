//! The metrics server's certificates are made anew, and the API server goes on trusting it.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::Api;
use kube::api::DeleteParams;

use crate::scenarios::account::Account;
use crate::scenarios::clients::{Answer, Clients, OPERATOR};
use crate::scenarios::stage::Stage;

const SECRET: &str = "kedaorg-certs";
const API_SERVICE: &str = "v1beta1.external.metrics.k8s.io";

/// The Secret is lost: another CA is made and published, and the HPA scales by the metric as before.
pub(crate) fn rotated(stage: &Stage) {
    let clients = stage.clients();
    stage.is_ready();
    let before = authority(&clients).unwrap();
    assert_eq!(trusted(&clients).unwrap(), before, "the API server trusts another CA than the operator's");
    let secrets: Api<Secret> = Api::namespaced(clients.kube.clone(), OPERATOR.0);
    clients.ask(secrets.delete(SECRET, &DeleteParams::default())).unwrap();
    // The operator looks at its own pace, which is real time.
    let after = stage.expect("another CA is made and published", stage.system(90), || {
        let (made, trusted) = (authority(&clients).ok()?, trusted(&clients).ok()?);
        (made != before && trusted == made).then_some(made)
    });
    stage.expect("the API is available with it", stage.system(30), || {
        (is_available(&clients) == Ok(true)).then_some(())
    });
    let account = Account::open(stage);
    account.send(9);
    stage.expect("the HPA wants three replicas", 300, || (clients.wanted() == Ok(3)).then_some(()));
    account.settles();
    stage.note(format!("CA of {} bytes instead of {}", after.len(), before.len()));
}

fn authority(clients: &Clients) -> Answer<Vec<u8>> {
    let secrets: Api<Secret> = Api::namespaced(clients.kube.clone(), OPERATOR.0);
    let data = clients.ask(secrets.get(SECRET))?.data.unwrap_or_default();
    data.get("ca.crt").map(|pem| pem.0.clone()).ok_or_else(|| "the Secret has no ca.crt".to_owned())
}

fn trusted(clients: &Clients) -> Answer<Vec<u8>> {
    let found = clients.ask(Api::<APIService>::all(clients.kube.clone()).get(API_SERVICE))?;
    let bundle = found.spec.and_then(|spec| spec.ca_bundle);
    bundle.map(|bundle| bundle.0).ok_or_else(|| "the APIService has no caBundle".to_owned())
}

fn is_available(clients: &Clients) -> Answer<bool> {
    let found = clients.ask(Api::<APIService>::all(clients.kube.clone()).get(API_SERVICE))?;
    let conditions = found.status.and_then(|status| status.conditions).unwrap_or_default();
    Ok(conditions.iter().any(|condition| condition.type_ == "Available" && condition.status == "True"))
}
