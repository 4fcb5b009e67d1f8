//! Limits that a container does not set: for the downward API they are what its node has to give.

use serde_json::Value;

use crate::object::text;

/// Resources that the downward API names.
const RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// Fills in the limits of all containers of `pod` from the allocatable amounts of its node.
pub(super) fn fill_in(pod: &mut Value, allocatable: &Value) {
    for list in ["initContainers", "containers"] {
        let Some(containers) = pod["spec"][list].as_array_mut() else { continue };
        for container in containers {
            for resource in RESOURCES {
                let unset = text(container, &format!("/resources/limits/{resource}")).is_empty();
                if unset && allocatable[resource].is_string() {
                    container["resources"]["limits"][resource] = allocatable[resource].clone();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_not_set_comes_from_the_node() {
        let mut pod = json!({"spec": {"containers": [{"resources": {"limits": {"cpu": "250m"}}}, {}]}});
        fill_in(&mut pod, &json!({"cpu": "1", "memory": "512Mi"}));
        assert_eq!(pod["spec"]["containers"][0]["resources"]["limits"], json!({"cpu": "250m", "memory": "512Mi"}));
        assert_eq!(pod["spec"]["containers"][1]["resources"]["limits"], json!({"cpu": "1", "memory": "512Mi"}));
    }
}
