//! What the stack file declares: the documents that `up` would write.

use std::collections::BTreeMap;

use identity::{Document, Facts, Provider, Role, ServiceAccount};
use serde_json::Value;
use stack::Stack;
use stack::policies::{self, Policies};

use crate::diagnostic::{Outcome, one};

/// An account of AWS's documentation: all ARNs of the declaration have the same, so none other is needed.
pub(super) const ACCOUNT: &str = "111122223333";

pub(super) fn facts(stack: &Stack) -> Outcome<Facts> {
    let names = stack.names();
    // What the cluster's will look like.
    let issuer = format!("oidc.eks.{}.amazonaws.com/id/EXAMPLE", stack.region);
    let policies = Policies { stack, account_id: ACCOUNT, issuer: &issuer };
    let mut roles = BTreeMap::new();
    let mut add = |name: &str, trust: Value, policy: Value| -> Outcome<()> {
        let role = Role {
            trust: Document::parse(format!("the trust policy of role {name}"), &trust).map_err(one)?,
            policies: vec![Document::parse(format!("policy {name}"), &policy).map_err(one)?],
            boundary: stack
                .roles
                .permissions_boundary
                .as_ref()
                .map(|arn| Err(format!("{arn} is read once the stack is up"))),
        };
        roles.insert(names.role_arn(ACCOUNT, name), role);
        Ok(())
    };
    let mut service_accounts = Vec::new();
    if stack.has_queue() {
        let operator = (policies.operator_trust().map_err(one)?, policies.operator_policy().map_err(one)?);
        add(&names.operator_role, operator.0, operator.1)?;
        let scaler = (policies.scaler_trust().map_err(one)?, policies.scaler_policy().map_err(one)?);
        add(&names.scaler_role, scaler.0, scaler.1)?;
        service_accounts.push(ServiceAccount {
            namespace: stack.operator.namespace.clone(),
            name: stack.operator.service_account.clone(),
            role: Some(names.role_arn(ACCOUNT, &names.operator_role)),
        });
    }
    for workload in &stack.workloads {
        let Some(own) = names.workload(&workload.name) else { continue };
        let documents = (policies.workload_trust(workload).map_err(one)?, policies.workload_policy(own).map_err(one)?);
        add(&own.role, documents.0, documents.1)?;
        service_accounts.push(ServiceAccount {
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
            role: Some(names.role_arn(ACCOUNT, &own.role)),
        });
    }
    let provider = Provider {
        arn: names.oidc_provider_arn(ACCOUNT, &issuer),
        url: issuer.clone(),
        client_ids: vec![policies::AUDIENCE.to_owned()],
    };
    Ok(Facts {
        issuer,
        audience: policies::AUDIENCE.to_owned(),
        providers: vec![provider],
        roles,
        queue_policies: BTreeMap::new(),
        service_accounts,
    })
}

#[cfg(test)]
mod tests {
    use identity::{Link, prove};

    use super::*;
    use crate::commands::identity::chains;

    #[test]
    fn what_is_declared_holds_in_each_of_the_three_modes() {
        let text = "workloads:\n- {name: a, identity: role}\n- {name: b, identity: workload}\n- {name: c, identity: operator}\n";
        let file = stack::File { name: "stack.yaml", text };
        let stack = stack::load(Some(file), &[], jiff::civil::date(2026, 11, 28)).unwrap().stack;
        let facts = facts(&stack).unwrap();
        let chains = chains(&stack, ACCOUNT);
        assert_eq!(chains.len(), 6);
        for chain in chains {
            let links = prove(&facts, &chain.wanted);
            assert!(links.iter().all(Link::holds), "{}: {links:#?}", chain.title);
        }
    }
}
