//! AWS itself, as the environment and the profile say.

use ::aws::session::{self, Session};
use clock::Clock;

use super::{Target, brought};
use crate::diagnostic::{Outcome, preflight};
use crate::settings::Settings;

pub(super) async fn open(settings: &Settings) -> Outcome<Target> {
    let brought = brought::found(settings).await?;
    let wanted = session::Settings { profile: None, region: Some(settings.stack.region.clone()), endpoint_url: None };
    let session = Session::load(wanted).await.map_err(preflight)?;
    let caller = session.caller_identity().await.map_err(preflight)?;
    let target = Target {
        session,
        account_id: caller.account_id,
        caller_arn: caller.arn,
        clock: Clock::real(),
        endpoint_for_pods: None,
        denials: None,
        limits: Vec::new(),
        left_out: Vec::new(),
        asks: true,
        subnets: Vec::new(),
        started: false,
        brought: None,
    };
    Ok(brought::added(target, settings, brought))
}
