//! Updates of EKS, followed by their id: a cluster or an addon shows `UPDATING` late, and an update that failed leaves it
//! `ACTIVE` (EKS API Reference, DescribeUpdate).

use std::time::Duration;

use aws_sdk_eks::types::{Update, UpdateStatus};
use provision::{Context, Failure};

use super::wait::{Look, until};
use crate::cloud::Cloud;
use crate::error::{Error, Result};

/// A change of a cluster's version is the longest.
const DONE_WITHIN: Duration = Duration::from_hours(1);

/// Waits until `update` of the cluster, or of its `addon`, has succeeded.
///
/// Fails with EKS's own errors if the update failed or was cancelled.
pub(super) async fn followed(
    cloud: &Cloud,
    cluster: &str,
    addon: Option<&str>,
    update: Option<Update>,
    context: &Context,
) -> Result<(), Failure> {
    let id = update.as_ref().and_then(Update::id).map(str::to_owned);
    let id = id.ok_or_else(|| Error::answer("the EKS update", "it holds no update with an id"))?;
    let what =
        addon.map_or_else(|| format!("the update of cluster {cluster}"), |name| format!("the update of addon {name}"));
    until(context, &what, DONE_WITHIN, || async {
        let call = cloud.eks.describe_update().name(cluster).update_id(&id).set_addon_name(addon.map(str::to_owned));
        let update = match call.send().await.map_err(|error| Error::from_sdk("eks:DescribeUpdate", &error)) {
            Ok(answer) => answer.update,
            // The server that answers may not know it yet.
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        let Some(update) = update else { return Ok(Look::Waiting("not visible yet".into())) };
        let status = update.status().map_or("UNKNOWN", UpdateStatus::as_str);
        let kind = update.r#type().map_or("update", |kind| kind.as_str());
        Ok(match update.status() {
            Some(UpdateStatus::Successful) => Look::Done(()),
            Some(UpdateStatus::Failed | UpdateStatus::Cancelled) => {
                Look::Hopeless(format!("{kind} {id} is {status}{}", errors(&update)))
            }
            _ => Look::Waiting(format!("{kind} {status}")),
        })
    })
    .await
}

fn errors(update: &Update) -> String {
    let texts = update.errors().iter().map(|error| {
        let code = error.error_code().map_or("Unknown", |code| code.as_str());
        format!(" [{code}: {}]", error.error_message().unwrap_or_default())
    });
    texts.collect()
}
