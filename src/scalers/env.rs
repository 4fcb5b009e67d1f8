//! What the operator's own environment says about its identity.

use std::path::PathBuf;

/// The file with the operator's own web identity token, set by EKS's webhook.
#[expect(clippy::disallowed_methods, reason = "env.rs is where variables are read")]
pub fn web_identity_token_file() -> Option<PathBuf> {
    std::env::var("AWS_WEB_IDENTITY_TOKEN_FILE").ok().filter(|path| !path.is_empty()).map(PathBuf::from)
}
