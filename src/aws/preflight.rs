//! Before anything is made: are we somebody, and the somebody who was meant?

use crate::error::{Error, Result};
use crate::session::{CallerIdentity, Session};

/// Who is calling.
///
/// # Errors
///
/// [`Error::Request`] if `account` is given and the caller belongs to another one. Otherwise those of
/// [`Session::caller_identity`].
pub async fn caller(session: &Session, account: Option<&str>) -> Result<CallerIdentity> {
    let identity = session.caller_identity().await?;
    if let Some(account) = account
        && account != identity.account_id
    {
        let CallerIdentity { account_id, arn, .. } = &identity;
        return Err(Error::Request {
            operation: "preflight",
            message: format!(
                "the credentials belong to account {account_id} ({arn}), the stack to {account}; choose another profile"
            ),
        });
    }
    Ok(identity)
}
