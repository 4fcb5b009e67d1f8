//! AWS itself, as the environment and the profile say.

use ::aws::session::{self, Session};
use clock::Clock;

use super::Target;
use crate::diagnostic::{Outcome, preflight};
use crate::settings::Settings;

pub(super) async fn open(settings: &Settings) -> Outcome<Target> {
    let wanted = session::Settings { region: Some(settings.stack.region.clone()), ..session::Settings::new("cli") };
    let session = settings.recorded(Session::load(wanted).await.map_err(preflight)?);
    let caller = session.caller_identity().await.map_err(preflight)?;
    Ok(Target {
        session,
        account_id: caller.account_id,
        caller_arn: caller.arn,
        clock: Clock::real(),
        endpoint_for_pods: None,
        denials: None,
        incidents: None,
        limits: Vec::new(),
        skipped: Vec::new(),
        asks: true,
        subnets: Vec::new(),
        started: false,
        existing: None,
    })
}
