//! ECR: who may push to its registries, and its repositories.
//!
//! By requests of our own: of some sixty operations six are needed, and the SDK's crate for all of them would cost
//! every build what they never use.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::session::Session;
use crate::signed::json::JsonService;

const SERVICE: JsonService = JsonService { id: "ECR", name: "ecr", target: "AmazonEC2ContainerRegistry_V20150921" };
const TOKEN: &str = "ecr:GetAuthorizationToken";

/// User and password of a registry, for twelve hours.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The region of a private registry of ECR, by its host (ECR User Guide, "Amazon ECR private registry"); `None` of any other.
pub fn region_of(registry: &str) -> Option<&str> {
    let (account, rest) = registry.split_once('.')?;
    let rest = rest.strip_prefix("dkr.ecr.").or_else(|| rest.strip_prefix("dkr.ecr-fips."))?;
    let region = rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (is_account && !region.is_empty() && !region.contains('.')).then_some(region)
}

/// Who pushes and pulls in the name of `session`, in the registries of its region.
///
/// # Errors
///
/// [`Error::Service`] if ECR refuses. [`Error::Answer`] if it gives no token. Another [`Error`] if the call gets no usable answer.
pub async fn login(session: &Session) -> Result<Login> {
    let answer = call(session, TOKEN, &json!({})).await?;
    let text =
        answer["authorizationData"][0]["authorizationToken"].as_str().and_then(|token| STANDARD.decode(token).ok());
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = text.as_deref().and_then(|text| text.split_once(':'));
    let (user, password) = pair.ok_or_else(|| Error::answer(TOKEN, "it holds no token"))?;
    Ok(Login { user: user.to_owned(), password: password.to_owned() })
}

/// One call; the answer as JSON. `operation` is `ecr:Operation`.
pub(crate) async fn call(session: &Session, operation: &'static str, input: &Value) -> Result<Value> {
    SERVICE.call(session, operation, input).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_of_ecr_is_known_by_its_host() {
        assert_eq!(region_of("111122223333.dkr.ecr.eu-west-1.amazonaws.com"), Some("eu-west-1"));
        assert_eq!(region_of("111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com"), Some("us-gov-west-1"));
        assert_eq!(region_of("111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn"), Some("cn-north-1"));
        for other in
            ["public.ecr.aws", "ghcr.io", "1111.dkr.ecr.eu-west-1.amazonaws.com", "x.dkr.ecr.a.b.amazonaws.com"]
        {
            assert_eq!(region_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_login_shows_no_password() {
        let login = Login { user: "AWS".to_owned(), password: "s3cret".to_owned() };
        assert!(!format!("{login:?}").contains("s3cret"));
    }
}
