//! Where a stack is: what its state remembers, so that no later run looks for it elsewhere and finds nothing.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Outcome, preflight};
use crate::settings::Settings;
use crate::target::{Target, absolute};

const ACCOUNT: &str = "account";
pub(crate) const REGION: &str = "region";
const CLUSTER: &str = "cluster";
pub(crate) const CONTEXT: &str = "context";
pub(crate) const KUBECONFIG: &str = "kubeconfig";

/// The values that make it the same location; a context may be renamed.
const IDENTIFYING: [&str; 3] = [ACCOUNT, REGION, CLUSTER];

fn of(settings: &Settings, target: &Target) -> Outcome<BTreeMap<String, String>> {
    let kubeconfig = settings.stack.kubernetes.kubeconfig.as_ref().filter(|_| target.existing.is_some());
    let entries = [
        (ACCOUNT, Some(target.account_id.clone())),
        (REGION, Some(settings.stack.region.clone())),
        (CLUSTER, target.existing.as_ref().and_then(|existing| existing.uid.clone())),
        (CONTEXT, target.existing.as_ref().map(|existing| existing.context.clone())),
        (KUBECONFIG, kubeconfig.map(|file| absolute(file.into())).transpose()?),
    ];
    Ok(entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
}

/// Holds the recorded state against where this run looks. One that cannot be read is reported by those who need it.
pub(crate) fn check(settings: &Settings, target: &Target) -> Outcome<()> {
    check_facts(settings, target, &IDENTIFYING)
}

/// The same for who looks at no cluster.
pub(crate) fn check_aws(settings: &Settings, target: &Target) -> Outcome<()> {
    check_facts(settings, target, &[ACCOUNT, REGION])
}

fn check_facts(settings: &Settings, target: &Target, identifying: &[&'static str]) -> Outcome<()> {
    match provision::store::load(&settings.state()) {
        Ok(Some(mut state)) => held(&mut state, settings, target, identifying),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Holds the state against where this run looks.
pub(crate) fn settle(state: &mut provision::state::State, settings: &Settings, target: &Target) -> Outcome<()> {
    held(state, settings, target, &IDENTIFYING)
}

fn held(
    state: &mut provision::state::State,
    settings: &Settings,
    target: &Target,
    identifying: &[&'static str],
) -> Outcome<()> {
    state.settle(of(settings, target)?, identifying).map_err(|elsewhere| {
        let again = match elsewhere.key {
            REGION => format!("give --region {}", elsewhere.recorded),
            ACCOUNT => format!("use a profile of account {}", elsewhere.recorded),
            _ => "use the context that it came up with".to_owned(),
        };
        let help = format!("{again}; if all of that is gone for good, remove {}", settings.state().display());
        preflight(Diagnostic::from(elsewhere).help(help))
    })
}
