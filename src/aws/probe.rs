//! What an endpoint that is not AWS offers, found out by asking it.

use crate::error::{Error, Result};
use crate::session::Session;

/// Whether the service is there. An emulator without it answers 501 Not Implemented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// It answers.
    Offered,
    /// It says that it is not there; its words.
    Missing(String),
}

/// Whether there is an EKS.
///
/// # Errors
///
/// [`Error::Service`] if EKS refuses otherwise than by the status 501, which says that there is none. Another
/// [`Error`] if the call gets no usable answer.
pub async fn eks(session: &Session) -> Result<Offer> {
    let client = aws_sdk_eks::Client::new(&session.config);
    match client.list_clusters().max_results(1).send().await {
        Ok(_) => Ok(Offer::Offered),
        Err(error) => match Error::from_sdk("eks:ListClusters", &error) {
            Error::Service { status: 501, code, message, .. } => Ok(Offer::Missing(format!("{code}: {message}"))),
            other => Err(other),
        },
    }
}

/// Whether web identity tokens are checked: a token that nobody issued, for a role that nobody made, must be refused.
///
/// # Errors
///
/// [`Error::Service`] if STS answers with an error that is no refusal (a status outside 400 to 499). Another [`Error`]
/// if the call gets no usable answer.
pub async fn checks_web_identity(session: &Session, account_id: &str) -> Result<bool> {
    let client = aws_sdk_sts::Client::new(&session.config);
    let call = client
        .assume_role_with_web_identity()
        .role_arn(format!("arn:aws:iam::{account_id}:role/sluice-probe-that-does-not-exist"))
        .role_session_name("sluice-probe")
        .web_identity_token("not.a.token");
    match call.send().await {
        Ok(_) => Ok(false),
        Err(error) => match Error::from_sdk("sts:AssumeRoleWithWebIdentity", &error) {
            Error::Service { status: 400..=499, .. } => Ok(true),
            other => Err(other),
        },
    }
}
