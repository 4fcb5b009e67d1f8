//! `sluice operator manifests`: what the operator needs in a cluster, as YAML for `kubectl apply`, or one an object of the stream.

use serde_json::json;
use stack::manifests::{self, Site};

use crate::arguments::pods::Manifests;
use crate::assembly::CRDS;
use crate::diagnostic::{Outcome, one};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::view::View;

pub(crate) fn run(wanted: Manifests, settings: &Settings, view: &View) -> Outcome {
    let site = Site {
        account_id: wanted.account_id.unwrap_or_default(),
        endpoint_for_pods: settings.stack.kubernetes.endpoint_for_pods.clone(),
        ..Site::default()
    };
    for manifest in manifests::operator(&settings.stack, &site, CRDS).map_err(one)? {
        if !view.is_human() {
            view.event("manifest", json!({ "manifest": manifest.object }));
            continue;
        }
        let text = serde_saphyr::to_string(&manifest.object).map_err(one)?;
        View::raw(&format!("---\n{}", text.trim_end()));
    }
    Ok(Exit::Done)
}
