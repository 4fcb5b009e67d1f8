//! What KEDA's admission webhook says of an object beside the rules of [`crate::validate`], in its words
//! (`docs/rules.md#keda-admission`).

use crate::api::{
    AuthPodIdentity, IdentityOwner, OAuth2, PodIdentityProvider, ScaledObjectSpec, TriggerAuthenticationSpec,
};

/// Whether a (Cluster)TriggerAuthentication may be stored. What is not served here may be, too: its users say so.
///
/// # Errors
///
/// What is wrong, for who writes it.
pub fn authentication(spec: &TriggerAuthenticationSpec) -> Result<(), String> {
    if let Some(identity) = &spec.pod_identity {
        match identity.provider {
            PodIdentityProvider::AzureWorkload => azure(identity)?,
            PodIdentityProvider::Aws => aws(identity)?,
            // KEDA looks no further.
            _ => return Ok(()),
        }
    }
    spec.oauth2.as_deref().map_or(Ok(()), oauth2)
}

fn is_empty(text: Option<&String>) -> bool {
    text.is_none_or(String::is_empty)
}

fn azure(identity: &AuthPodIdentity) -> Result<(), String> {
    let is_given_empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
    if is_given_empty(&identity.identity_id) {
        return Err(different("identityId"));
    }
    if !is_empty(identity.identity_authority_host.as_ref()) {
        if is_empty(identity.identity_tenant_id.as_ref()) {
            return Err("identityTenantID of PodIdentity should not be nil or empty when identityAuthorityHost of \
                        PodIdentity is set"
                .to_owned());
        }
    } else if is_given_empty(&identity.identity_tenant_id) {
        return Err(different("identityTenantId"));
    }
    Ok(())
}

fn different(field: &str) -> String {
    format!("{field} of PodIdentity should not be empty. If it's set, {field} has to be different than \"\"")
}

fn aws(identity: &AuthPodIdentity) -> Result<(), String> {
    let has_role = !is_empty(identity.role_arn.as_ref());
    if has_role && identity.identity_owner == Some(IdentityOwner::Workload) {
        return Err("roleArn of PodIdentity can't be set if KEDA isn't identityOwner".to_owned());
    }
    if !has_role && !is_empty(identity.external_id.as_ref()) {
        return Err("externalID of PodIdentity requires roleArn to be set".to_owned());
    }
    Ok(())
}

fn oauth2(oauth2: &OAuth2) -> Result<(), String> {
    let type_ = oauth2.type_.as_deref().unwrap_or_default();
    if type_ != "clientCredentials" {
        return Err(format!("oauth2.type must be 'clientCredentials', got '{type_}'"));
    }
    for (field, value) in [("clientId", &oauth2.client_id), ("tokenUrl", &oauth2.token_url)] {
        if value.is_empty() {
            return Err(format!("oauth2.{field} is required when oauth2 is configured"));
        }
    }
    let rest = ["http://", "https://"].into_iter().find_map(|scheme| oauth2.token_url.strip_prefix(scheme));
    let is_valid = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']));
    is_valid.then_some(()).ok_or_else(|| "oauth2.tokenUrl must be a valid http or https URL".to_owned())
}

/// What is said of a ScaledObject that is stored all the same.
pub fn warnings(spec: &ScaledObjectSpec) -> Vec<&'static str> {
    // A target that is never at zero, nor at rest, is in the HPA's hands alone.
    if spec.min_replica_count.unwrap_or_default() <= 0 || spec.idle_replica_count == Some(0) {
        return Vec::new();
    }
    let is_cached = spec.triggers.iter().any(|trigger| trigger.use_cached_metrics == Some(true));
    let polling = (spec.polling_interval.is_some() && !is_cached).then_some(
        "PollingInterval is configured but is not relevant. PollingInterval is only relevant when minReplicaCount = 0 \
         or idleReplicaCount = 0 or useCachedMetrics is enabled",
    );
    let cooldown = spec.cooldown_period.is_some().then_some(
        "CooldownPeriod is configured but is not relevant. CooldownPeriod is only relevant when minReplicaCount = 0 or \
         idleReplicaCount = 0",
    );
    polling.into_iter().chain(cooldown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refused(spec: &Value) -> String {
        let spec: TriggerAuthenticationSpec = serde_json::from_value(spec.clone()).unwrap();
        authentication(&spec).err().unwrap_or_default()
    }

    #[test]
    fn authentications_are_refused_as_keda_does() {
        let identity = |provider: &str, more: Value| {
            let mut identity = json!({ "provider": provider });
            identity.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            refused(&json!({ "podIdentity": identity }))
        };
        assert_eq!(identity("azure-workload", json!({})), "");
        let empty = identity("azure-workload", json!({ "identityId": "" }));
        assert!(empty.starts_with("identityId of PodIdentity should not be empty."), "{empty}");
        let tenant = identity("azure-workload", json!({ "identityId": "i", "identityTenantId": "" }));
        assert!(tenant.starts_with("identityTenantId of PodIdentity should not be empty."), "{tenant}");
        let host = json!({ "identityAuthorityHost": "h" });
        assert!(identity("azure-workload", host).starts_with("identityTenantID of PodIdentity should not be nil"));
        assert_eq!(identity("aws", json!({ "roleArn": "r", "externalID": "e" })), "");
        let owner = identity("aws", json!({ "roleArn": "r", "identityOwner": "workload" }));
        assert_eq!(owner, "roleArn of PodIdentity can't be set if KEDA isn't identityOwner");
        let external = identity("aws", json!({ "externalID": "e" }));
        assert_eq!(external, "externalID of PodIdentity requires roleArn to be set");
        assert_eq!(identity("gcp", json!({ "identityId": "" })), "");
        assert_eq!(refused(&json!({ "filePath": "keys.json" })), "");
    }

    #[test]
    fn oauth2_is_refused_as_keda_does() {
        let with = |type_: &str, id: &str, url: &str| {
            refused(&json!({ "oauth2": { "type": type_, "clientId": id, "tokenUrl": url } }))
        };
        assert_eq!(with("clientCredentials", "c", "https://t/token"), "");
        assert_eq!(with("password", "c", "https://t"), "oauth2.type must be 'clientCredentials', got 'password'");
        assert_eq!(with("clientCredentials", "", "https://t"), "oauth2.clientId is required when oauth2 is configured");
        for url in ["t", "ftp://t", "https:///token", "http://"] {
            assert_eq!(with("clientCredentials", "c", url), "oauth2.tokenUrl must be a valid http or https URL");
        }
    }

    #[test]
    fn what_has_no_effect_is_said() {
        let said = |spec: Value| {
            let mut whole = json!({ "scaleTargetRef": { "name": "x" }, "pollingInterval": 5, "cooldownPeriod": 5,
                "triggers": [{ "type": "cron", "metadata": {} }] });
            whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
            warnings(&serde_json::from_value(whole).unwrap()).len()
        };
        assert_eq!(said(json!({})), 0);
        assert_eq!(said(json!({ "minReplicaCount": 1 })), 2);
        assert_eq!(said(json!({ "minReplicaCount": 1, "idleReplicaCount": 0 })), 0);
        let cached = json!([{ "type": "prometheus", "metadata": {}, "useCachedMetrics": true }]);
        assert_eq!(said(json!({ "minReplicaCount": 1, "triggers": cached })), 1);
    }
}
