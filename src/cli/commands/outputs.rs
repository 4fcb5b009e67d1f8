//! `sluice outputs`: what others need to know of the stack.

use std::collections::BTreeMap;

use provision::{Address, State, store};
use serde_json::json;
use stack::{Stack, Workload};

use crate::arguments::Outputs;
use crate::assembly;
use crate::diagnostic::{Diagnostic, Outcome, one, preflight};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::view::{Tone, View, Weight};

pub(crate) fn run(wanted: &Outputs, settings: &Settings, view: &View) -> Outcome {
    if wanted.stack_file {
        return stack_file(settings, view);
    }
    let state = state(settings)?;
    let outputs = of(&settings.stack, &account_id(&state), &state);
    let Some(name) = &wanted.name else {
        show(&outputs, Weight::Usual, view);
        return Ok(Exit::Done);
    };
    let Some(value) = outputs.get(name) else {
        let names: Vec<&str> = outputs.keys().map(String::as_str).collect();
        let text = format!("there is no output {name}");
        return Err(vec![Diagnostic::error(text).help(format!("there are {}", names.join(", "))).exit(Exit::Usage)]);
    };
    if view.is_human() {
        View::raw(value);
    } else {
        view.event("output", json!({ "name": name, "value": value }));
    }
    Ok(Exit::Done)
}

/// The recorded state, or that nothing is up.
pub(crate) fn state(settings: &Settings) -> Outcome<State> {
    let state = store::load(&settings.state()).map_err(one)?;
    state.filter(|state| !state.resources.is_empty()).ok_or_else(|| {
        let text = format!("nothing is up: {} records nothing", settings.state().display());
        preflight(Diagnostic::error(text).help("bring it up with `sluice up`"))
    })
}

/// How many resources the state records.
pub(crate) fn recorded_resources(settings: &Settings) -> Outcome<usize> {
    let state = store::load(&settings.state()).map_err(one)?;
    Ok(state.map_or(0, |state| state.resources.len()))
}

/// The URL of the queue of a workload that has one, as recorded.
pub(crate) fn queue_url(workload: &Workload, settings: &Settings) -> Outcome<String> {
    let address = assembly::queue_address(&workload.name);
    recorded(&state(settings)?, &address, "url").ok_or_else(|| {
        let text = format!("the state records no {address}");
        preflight(Diagnostic::error(text).help("bring it up with `sluice up`"))
    })
}

fn recorded(state: &State, address: &Address, attribute: &str) -> Option<String> {
    state.resources.get(address)?.object.as_ref()?.text(attribute).map(str::to_owned)
}

fn account_id(state: &State) -> String {
    // arn:aws:eks:region:ACCOUNT:cluster/name
    let arn = recorded(state, &assembly::cluster_address(), "arn").unwrap_or_default();
    arn.split(':').nth(4).unwrap_or_default().to_owned()
}

/// The tutorial's four (queue URL and three role ARNs), the same of every workload by its name, and what clients need besides,
/// as far as they exist. `queue_url` is that of the first workload that has a queue.
pub(crate) fn of(stack: &Stack, account_id: &str, state: &State) -> BTreeMap<String, String> {
    let names = stack.names();
    let role = |label: &str| recorded(state, &Address::new("aws_iam_role", label), "arn");
    let cluster = |attribute: &str| recorded(state, &assembly::cluster_address(), attribute);
    let first =
        names.workloads.first().and_then(|first| recorded(state, &assembly::queue_address(&first.workload), "url"));
    let mut outputs = vec![
        ("queue_url".to_owned(), first),
        ("keda_operator_role_arn".to_owned(), role("keda_operator")),
        ("sqs_scaler_role_arn".to_owned(), role("sqs_scaler")),
        ("account_id".to_owned(), Some(account_id.to_owned())),
        ("region".to_owned(), Some(stack.region.clone())),
        ("cluster_name".to_owned(), Some(names.cluster)),
        ("cluster_endpoint".to_owned(), cluster("endpoint")),
        ("oidc_issuer".to_owned(), cluster("issuer")),
    ];
    for workload in &stack.workloads {
        let url = recorded(state, &assembly::queue_address(&workload.name), "url");
        outputs.push((format!("queue_url_{}", workload.name), url));
        outputs.push((format!("{}_role_arn", workload.name), role(&assembly::role_label(&workload.name))));
    }
    outputs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

pub(crate) fn show(outputs: &BTreeMap<String, String>, weight: Weight, view: &View) {
    view.event("outputs", json!({ "outputs": outputs }));
    for (name, value) in outputs {
        view.say(weight, Tone::Plain, format!("{name} = \"{value}\""));
    }
}

/// Every key of the stack with its value and where that came from.
fn stack_file(settings: &Settings, view: &View) -> Outcome {
    for setting in &settings.keys {
        let body = serde_json::to_value(setting).map_err(one)?;
        view.event("setting", json!({ "setting": body }));
        view.line(format!("{}: {}  # {}", setting.key, setting.value, setting.origin));
    }
    Ok(Exit::Done)
}
