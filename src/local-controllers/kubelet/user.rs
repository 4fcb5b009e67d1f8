//! The user that a container sees itself as, from the security contexts of pod and container.

use serde_json::Value;

use crate::object::text;

/// The user of images that want to run without root and do not say as whom.
const NONROOT: u32 = 65532;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: u32,
    pub(super) group: u32,
}

impl User {
    /// The container's context goes before the pod's. The error is the message of CreateContainerConfigError.
    pub(super) fn of(pod: &Value, container: &Value) -> Result<Self, String> {
        let own = |field: &str| container.pointer(&format!("/securityContext/{field}"));
        let shared = |field: &str| pod.pointer(&format!("/spec/securityContext/{field}"));
        let number = |field: &str| own(field).or_else(|| shared(field)).and_then(Value::as_u64);
        let number = |field: &str| number(field).and_then(|number| u32::try_from(number).ok());
        let nonroot = own("runAsNonRoot").or_else(|| shared("runAsNonRoot")).and_then(Value::as_bool) == Some(true);
        let id = match number("runAsUser") {
            Some(0) if nonroot => {
                return Err("container's runAsUser breaks non-root policy (pod: \"".to_owned()
                    + &format!(
                        "{}_{}({})\", container: {})",
                        crate::object::name(pod),
                        crate::object::namespace(pod),
                        crate::object::uid(pod),
                        text(container, "/name")
                    ));
            }
            Some(id) => id,
            None if nonroot => NONROOT,
            None => 0,
        };
        Ok(Self { id, group: number("runAsGroup").unwrap_or(0) })
    }

    /// `HOME`, as container runtimes find it in `/etc/passwd`: the container's own folder.
    pub(super) fn home(self) -> &'static str {
        if self.id == 0 { "/root" } else { "/home/user" }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_container_s_user_goes_before_the_pod_s() {
        let pod = json!({"spec": {"securityContext": {"runAsUser": 1000, "runAsGroup": 7}}});
        let of = |container: Value| User::of(&pod, &container);
        assert_eq!(of(json!({})), Ok(User { id: 1000, group: 7 }));
        assert_eq!(of(json!({"securityContext": {"runAsUser": 5}})), Ok(User { id: 5, group: 7 }));
        assert_eq!(User::of(&json!({}), &json!({})), Ok(User { id: 0, group: 0 }));
    }

    #[test]
    fn root_is_refused_where_it_must_not_be() {
        let container = json!({"name": "c", "securityContext": {"runAsNonRoot": true, "runAsUser": 0}});
        assert!(User::of(&json!({}), &container).unwrap_err().contains("breaks non-root policy"));
        let unsaid = User::of(&json!({}), &json!({"securityContext": {"runAsNonRoot": true}}));
        assert_eq!(unsaid, Ok(User { id: NONROOT, group: 0 }));
    }
}
