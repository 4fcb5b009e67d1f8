//! AssumeRoleWithWebIdentity: a signed token of a registered issuer instead of credentials.

use std::sync::Arc;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value, json};

use super::assume::{NewSession, begin};
use super::input::{check_name, duration};
use super::session_tags::Attributes;
use crate::authorization::resource_tags;
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::iam::model::AssumableRole;
use crate::issuer::Failure;
use crate::policy::{Context, Decision, Layers, Principal, Question, decide};
use crate::strings;
use crate::validation::required;

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";
const TOKEN_LENGTH_MIN: usize = 4;
const SESSION_SECONDS_MAX: i64 = 43_200;

/// A token that is genuine, in time and meant for a registered client.
struct Identity {
    provider_arn: String,
    /// The issuer without its scheme, as condition keys spell it.
    issuer: String,
    subject: String,
    audience: String,
    amr: Vec<String>,
    attributes: Attributes,
}

impl Identity {
    /// The condition keys that the token's claims set, in the trust policy and later in the session.
    fn condition_keys(&self) -> Vec<(String, Vec<String>)> {
        let key = |claim: &str| format!("{}:{claim}", self.issuer);
        let mut keys = vec![(key("sub"), vec![self.subject.clone()]), (key("aud"), vec![self.audience.clone()])];
        if !self.amr.is_empty() {
            keys.push((key("amr"), self.amr.clone()));
        }
        keys
    }
}

pub(super) async fn assume_role(cloud: &Arc<Cloud>, call: &Call, input: &Value) -> Result<Value, Fault> {
    let arn = required(input, "RoleArn")?;
    let name = required(input, "RoleSessionName")?;
    let token = required(input, "WebIdentityToken")?;
    check_name(name)?;
    if token.len() < TOKEN_LENGTH_MIN {
        let problem = format!("Member must have length greater than or equal to {TOKEN_LENGTH_MIN}");
        let message =
            format!("1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: {problem}");
        return Err(Fault::sender("ValidationError", message));
    }
    // Its bounds are looked at before the token; the role's own maximum can only come after.
    duration(input, SESSION_SECONDS_MAX, false)?;
    if !arn.starts_with("arn:") {
        return Err(Fault::sender("ValidationError", format!("{arn} is invalid")));
    }
    let identity = match verify(cloud, token, call.now).await {
        Ok(identity) => identity,
        Err(fault) => {
            cloud.remember(
                call,
                ACTION,
                arn,
                &fault.message,
                vec![format!("web identity token refused: {}", fault.message)],
            );
            return Err(fault);
        }
    };
    let role = authorize(cloud, call, arn, name, &identity)?;
    let seconds = duration(input, role.max_session_seconds, false)?;
    let claims = identity.condition_keys();
    let new = NewSession {
        role,
        name,
        seconds,
        attributes: identity.attributes.clone(),
        federated_provider: Some(identity.provider_arn.clone()),
        claims,
    };
    let mut answer = begin(cloud, call, input, new)?;
    answer["SubjectFromWebIdentityToken"] = json!(identity.subject);
    answer["Audience"] = json!(identity.audience);
    answer["Provider"] = json!(identity.provider_arn);
    Ok(answer)
}

/// Puts the trust policy to the token's claims.
fn authorize(cloud: &Cloud, call: &Call, arn: &str, name: &str, identity: &Identity) -> Result<AssumableRole, Fault> {
    let refused = |action: &str, reasons: Vec<String>| {
        let message = format!("Not authorized to perform {action}");
        let asker = format!("{} ({})", identity.subject, identity.issuer);
        cloud.denials().push(crate::denials::Denial {
            at: call.now,
            principal: asker,
            action: action.to_owned(),
            resource: arn.to_owned(),
            message: message.clone(),
            reasons,
        });
        Fault::access_denied(message)
    };
    let role = cloud.iam().assumable_role(arn);
    let Some(role) = role else { return Err(refused(ACTION, vec![format!("there is no role {arn}")])) };
    let mut context = Context::default();
    cloud.describe_call(call, &mut context);
    context.set("sts:RoleSessionName", name);
    context.set("aws:FederatedProvider", identity.provider_arn.as_str());
    for (key, values) in identity.condition_keys() {
        context.set_all(&key, values);
    }
    identity.attributes.describe(&mut context);
    resource_tags(&mut context, &role.tags);
    let principal = Principal { federated: Some(identity.provider_arn.clone()), ..Principal::default() };
    let layers = Layers { resource: Some(&role.trust), resource_must_allow: true, ..Layers::default() };
    for action in std::iter::once(ACTION).chain(identity.attributes.actions()) {
        let question = Question { action, resource: arn, principal: &principal, context: &context };
        if let Decision::Refused { reasons, .. } = decide(&layers, &question) {
            return Err(refused(action, reasons));
        }
    }
    Ok(role)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("InvalidIdentityToken", message)
}

async fn verify(cloud: &Cloud, token: &str, now: Timestamp) -> Result<Identity, Fault> {
    let no_token =
        || invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)");
    let header = jsonwebtoken::decode_header(token).map_err(|_| no_token())?;
    if !matches!(
        header.alg,
        Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 | Algorithm::ES256 | Algorithm::ES384
    ) {
        return Err(invalid("The ID Token is signed with an algorithm that is not supported."));
    }
    // Read before they are proven, only to find the issuer whose keys prove them.
    let claims = jsonwebtoken::dangerous::insecure_decode::<Map<String, Value>>(token).map_err(|_| no_token())?.claims;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let issuer_url = text("iss").ok_or_else(|| invalid("Missing a required claim: iss"))?;
    let issuer = issuer_url.strip_prefix("https://").ok_or_else(|| invalid("Issuer must be a valid URL"))?;
    let provider = cloud.iam().provider_by_url(issuer);
    let provider =
        provider.ok_or_else(|| invalid(format!("No OpenIDConnect provider found in your account for {issuer_url}")))?;
    let key = cloud.issuers.key(issuer_url, header.kid.as_deref()).await.map_err(|failure| match failure {
        Failure::Unreachable(why) => {
            tracing::warn!(why, "issuer unreachable");
            Fault::sender("IDPCommunicationError", format!("Couldn't communicate with your identity provider: {why}"))
        }
        Failure::Unusable(why) => {
            tracing::warn!(why, "issuer unusable");
            invalid("Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements")
        }
    })?;
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    // Times are checked below by this cloud's clock, audiences by the provider's list.
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_jwk(&key).map_err(|_| invalid("The identity provider's key cannot be used"))?;
    jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation)
        .map_err(|_| invalid("Token signature invalid"))?;
    check_times(&claims, now)?;
    let subject = text("sub").ok_or_else(|| invalid("Missing a required claim: sub"))?.to_owned();
    // Kubernetes writes audiences as a list.
    let audience = strings::one_or_list(claims.get("aud")).into_iter().find(|one| provider.client_ids.contains(one));
    let audience = audience.ok_or_else(|| invalid("Incorrect token audience"))?;
    Ok(Identity {
        provider_arn: provider.arn,
        issuer: issuer.to_owned(),
        subject,
        audience,
        amr: strings::one_or_list(claims.get("amr")),
        attributes: Attributes::of_claims(&claims)?,
    })
}

fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), Fault> {
    let time = |name: &str| {
        claims.get(name).and_then(Value::as_f64).and_then(|seconds| Timestamp::from_second(seconds as i64).ok())
    };
    let expiry = time("exp").ok_or_else(|| invalid("Missing a required claim: exp"))?;
    if expiry <= now {
        let message = format!(
            "Token expired: current date/time {} must be before the expiration date/time {}",
            now.as_second(),
            expiry.as_second()
        );
        return Err(Fault::sender("ExpiredTokenException", message));
    }
    if time("nbf").is_some_and(|start| start > now + std::time::Duration::from_mins(5)) {
        return Err(invalid("Token is not yet valid"));
    }
    time("iat").map(|_| ()).ok_or_else(|| invalid("Missing a required claim: iat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_from_its_beginning_until_its_expiry() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let evaluated = |expires: i64, begins: i64| {
            let claims = json!({ "iat": 1, "exp": expires, "nbf": begins });
            check_times(claims.as_object().unwrap(), now)
                .map_err(|fault| (fault.code.to_string(), fault.message.clone()))
        };
        assert_eq!(evaluated(1_000_001, 999_999), Ok(()));
        let words =
            "Token expired: current date/time 1000000 must be before the expiration date/time 1000000".to_owned();
        assert_eq!(evaluated(1_000_000, 999_999), Err(("ExpiredTokenException".to_owned(), words)));
        assert_eq!(evaluated(1_000_001, 1_000_301).unwrap_err().0, "InvalidIdentityToken");
        assert!(check_times(json!({ "iat": 1 }).as_object().unwrap(), now).is_err());
    }
}
