//! May this user do that: RBAC from the stored roles, then EKS access policies.

pub(crate) mod attributes;
pub(crate) mod escalation;
pub(crate) mod policies;
pub(crate) mod rbac;

use http::Method;
use serde_json::json;

use self::attributes::Attributes;
use crate::cluster::Cluster;
use crate::request::Call;
use crate::status::Status;
use crate::user::User;

/// Whether it is allowed, and by what.
pub(crate) fn allowed(cluster: &Cluster, user: &User, attributes: &Attributes) -> Option<String> {
    if user.is_in("system:masters") {
        return Some(String::new());
    }
    rbac::allowed(cluster, user, attributes).or_else(|| policies::allowed(cluster, user, attributes))
}

pub(crate) fn check(cluster: &Cluster, user: &User, attributes: &Attributes) -> Result<(), Status> {
    if allowed(cluster, user, attributes).is_some() {
        return Ok(());
    }
    let scope = if attributes.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{}\"", attributes.namespace)
    };
    let resource = attributes.full_resource();
    let why = format!(
        "User \"{}\" cannot {} resource \"{resource}\" in API group \"{}\" {scope}",
        user.name, attributes.verb, attributes.group
    );
    Err(Status::forbidden(&attributes.group, &attributes.resource, &attributes.name, &why))
}

/// Checks a request on a path that names no resource.
pub(crate) fn check_path(cluster: &Cluster, call: &Call) -> Result<(), Status> {
    let open = matches!(call.path.as_str(), "/healthz" | "/livez" | "/readyz" | "/version" | "/version/");
    if open && call.method == Method::GET {
        return Ok(());
    }
    let verb = call.method.as_str().to_lowercase();
    let attributes = Attributes { verb: verb.clone(), path: Some(call.path.clone()), ..Attributes::default() };
    if allowed(cluster, &call.user, &attributes).is_some() {
        return Ok(());
    }
    let why = format!("forbidden: User \"{}\" cannot {verb} path \"{}\"", call.user.name, call.path);
    Err(Status::failure(403, "Forbidden", why).with_details(json!({})))
}

/// Honours `Impersonate-User` and `-Group`, if the real user may impersonate them.
pub(crate) fn impersonate(cluster: &Cluster, call: &mut Call) -> Result<(), Status> {
    let name = call.header("impersonate-user").to_owned();
    let groups: Vec<String> = call
        .headers
        .get_all("impersonate-group")
        .iter()
        .filter_map(|value| value.to_str().ok().map(str::to_owned))
        .collect();
    if name.is_empty() {
        return if groups.is_empty() {
            Ok(())
        } else {
            // The real server shows its own structs, one field after the other.
            let request: Vec<String> = groups.iter().map(|group| format!("{{Group  {group}    }}")).collect();
            Err(Status::bad_request(format!("requested [{}] without impersonating a user", request.join(" "))))
        };
    }
    let may = |resource: &str, namespace: &str, name: &str| {
        let attributes = Attributes {
            verb: "impersonate".to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Attributes::default()
        };
        check(cluster, &call.user, &attributes)
    };
    let account = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let mut user = if let Some((namespace, account)) = account {
        may("serviceaccounts", namespace, account)?;
        User::service_account(namespace, account)
    } else {
        may("users", "", &name)?;
        User { name: name.clone(), groups: vec!["system:authenticated".to_owned()], ..User::default() }
    };
    for group in groups {
        may("groups", "", &group)?;
        user.groups.push(group);
    }
    call.user = user;
    Ok(())
}
