//! Writes of the controllers, each followed by taking the server's answer into the copy.

use local_apiserver::{Client, PatchType};
use serde_json::{Value, json};

use super::Cache;
use crate::discovery::Resource;
use crate::error::{Error, Result};
use crate::object::{Key, name, namespace, text, uid};

impl Cache {
    pub(crate) fn resource(&self, id: &str) -> Result<Resource> {
        let kind = self.kind(id).ok_or_else(|| Error::Invalid(format!("the API server does not serve {id} (yet)")))?;
        Ok(kind.resource.clone())
    }

    /// Takes a server's answer into the copy.
    pub(crate) fn learn(&self, id: &str, object: Value) {
        if let Some(kind) = self.kind(id)
            && !uid(&object).is_empty()
            && text(&object, "/kind") == kind.resource.kind
        {
            kind.learn(self, object);
        }
    }

    pub(crate) async fn create(&self, id: &str, object: &Value) -> Result<Value> {
        let path = self.resource(id)?.collection(namespace(object));
        let made = self.client.create(&path, object).await.map_err(Error::api(format!("failed to create {id}")))?;
        self.learn(id, made.clone());
        Ok(made)
    }

    /// Replaces an object; `subresource` is empty or for example `status`.
    pub(crate) async fn update(&self, id: &str, object: &Value, subresource: &str) -> Result<Value> {
        let path = self.resource(id)?.path(namespace(object), name(object));
        let path = if subresource.is_empty() { path } else { format!("{path}/{subresource}") };
        let action = format!("failed to update {id} {}", Key::of(object));
        let made = self.client.update(&path, object).await.map_err(Error::api(action))?;
        self.learn(id, made.clone());
        Ok(made)
    }

    /// Replaces the status of an object unless it is as wanted already.
    pub(crate) async fn update_status(&self, id: &str, object: &Value, status: Value) -> Result<()> {
        if object.get("status") != Some(&status) {
            let mut changed = object.clone();
            changed["status"] = status;
            self.update(id, &changed, "status").await?;
        }
        Ok(())
    }

    /// A merge patch of the object or of a subresource.
    pub(crate) async fn merge(&self, id: &str, key: &Key, subresource: &str, patch: &Value) -> Result<Value> {
        let object = self.resource(id)?.path(&key.namespace, &key.name);
        let target = if subresource.is_empty() { object } else { format!("{object}/{subresource}") };
        let action = format!("failed to patch {id} {key}");
        let made = self.client.patch(&target, PatchType::Merge, patch).await.map_err(Error::api(action))?;
        self.learn(id, made.clone());
        Ok(made)
    }

    /// Deletes exactly this object (its uid is a precondition). Already gone counts as deleted.
    pub(crate) async fn delete(&self, id: &str, object: &Value, options: &Value) -> Result<()> {
        let path = self.resource(id)?.path(namespace(object), name(object));
        let mut body = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid(object)},
        });
        if let Some(options) = options.as_object() {
            for (key, value) in options {
                body[key] = value.clone();
            }
        }
        match self.client.delete(&path, Some(&body)).await {
            Ok(answer) => {
                self.learn(id, answer);
                Ok(())
            }
            Err(status) if status.is_not_found() => Ok(()),
            Err(status) => Err(Error::api(format!("failed to delete {id} {}", Key::of(object)))(status)),
        }
    }

    /// An object as the server has it now, read as `client`'s user.
    pub(crate) async fn fetch(&self, client: &Client, id: &str, key: &Key) -> Result<Option<Value>> {
        let path = self.resource(id)?.path(&key.namespace, &key.name);
        match client.get(&path).await {
            Ok(object) => Ok(Some(object)),
            Err(status) if status.is_not_found() => Ok(None),
            Err(status) => Err(Error::api(format!("failed to read {id} {key}"))(status)),
        }
    }
}
