//! `sluice policy`: what whoever runs the program must be allowed, as an IAM policy document. Nothing is called for it.

use serde_json::json;

use crate::arguments::Policy;
use crate::exit::Exit;
use crate::permissions;
use crate::settings::Settings;
use crate::view::View;

pub(crate) fn run(wanted: &Policy, settings: &Settings, view: &View) -> Exit {
    let site = permissions::site(settings, wanted.account_id.as_deref().unwrap_or("*"));
    let policy = aws::permissions::policy(&site);
    if view.is_human() {
        View::raw(&format!("{policy:#}"));
    } else {
        view.event("policy", json!({ "policy": policy }));
    }
    Exit::Done
}
