//! `sluice token`: an EKS bearer token as an exec credential, as `aws eks get-token` prints it.
//!
//! kubectl calls it and takes an `ExecCredential` only, whatever `SLUICE_OUTPUT` says to its user's commands; so the credential
//! becomes an event of the stream only where `--output json` was typed.

use serde_json::json;

use crate::arguments::Token;
use crate::diagnostic::{Outcome, one};
use crate::exit::Exit;
use crate::options::Typed;
use crate::settings::Settings;
use crate::stack_location;
use crate::target::{self, Missing};
use crate::view::View;

pub(crate) async fn run(token: Token, settings: &Settings, typed: &Typed, view: &View) -> Outcome {
    let target = target::open_aws(settings, Missing::Refuse, &view.beside_raw()).await?;
    stack_location::check_aws(settings, &target)?;
    let cluster = token.cluster_name.unwrap_or_else(|| settings.stack.cluster.name.clone());
    let token = aws::eks_token::token(&target.session, &cluster).await.map_err(one)?;
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "kind": "ExecCredential",
        "spec": {},
        // kubectl takes whole seconds only.
        "status": { "expirationTimestamp": token.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "token": token.value },
    });
    if typed.has("output") && !view.is_human() {
        view.event("token", json!({ "cluster": cluster, "credential": credential }));
    } else {
        View::raw(&credential.to_string());
    }
    Ok(Exit::Done)
}
