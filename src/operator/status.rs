//! Writing an object's status: one merge patch of what has changed, and no call where nothing has.

use std::fmt::Debug;

use kube::api::{Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::key::Key;

/// Makes `status` that of `object`, which is `before`. Returns the object as it is then.
pub(crate) async fn write<K, S>(client: &Client, object: &K, before: Option<&S>, status: &S) -> kube::Result<Option<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    S: Serialize,
{
    let value = |status: &S| serde_json::to_value(status).map_err(kube::Error::SerdeError);
    let before = before.map_or(Ok(json!({})), value)?;
    let Some(changes) = changes(&before, &value(status)?) else { return Ok(None) };
    let key = Key::of(object.meta());
    let api: Api<K> = Api::namespaced(client.clone(), &key.namespace);
    let patch = Patch::Merge(json!({ "status": changes }));
    api.patch_status(&key.name, &PatchParams::default(), &patch).await.map(Some)
}

/// The merge patch (RFC 7396) that turns `before` into `after`; `None` if they are equal.
fn changes(before: &Value, after: &Value) -> Option<Value> {
    if before == after {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (before, after) else { return Some(after.clone()) };
    let removed = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = new.iter().filter_map(|(key, value)| Some((key.clone(), changes(old.get(key)?, value)?)));
    let added = new.iter().filter(|(key, _)| !old.contains_key(*key)).map(|(key, value)| (key.clone(), value.clone()));
    Some(Value::Object(removed.chain(changed).chain(added).collect::<Map<_, _>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_holds_what_differs_and_nulls_for_what_is_gone() {
        let before = json!({ "same": 1, "gone": 2, "list": [1, 2], "nested": { "a": 1, "b": 2 } });
        let after = json!({ "same": 1, "new": 3, "list": [2], "nested": { "a": 1, "b": 3 } });
        let patch = changes(&before, &after).unwrap();
        assert_eq!(patch, json!({ "gone": null, "new": 3, "list": [2], "nested": { "b": 3 } }));
        assert_eq!(changes(&before, &before), None);
    }
}
