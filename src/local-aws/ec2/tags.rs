//! Changes of tags.

use serde_json::Value;

use super::store::{Kind, Tags};
use super::tag_list::{check, of_input};
use super::{Operation, access};
use crate::fault::Fault;
use crate::strings;

impl Operation<'_> {
    pub(super) fn create_tags(&self) -> Result<Value, Fault> {
        let tags = of_input(self.input);
        self.each(|held| {
            let mut merged = held.clone();
            merged.extend(tags.clone());
            check(&merged)?;
            *held = merged;
            Ok(())
        })
    }

    /// A key without a value takes the tag off whatever its value is; with one, only that (EC2 API Reference, DeleteTags).
    pub(super) fn delete_tags(&self) -> Result<Value, Fault> {
        let given = self.input.get("Tags").and_then(Value::as_array).cloned().unwrap_or_default();
        self.each(|held| {
            let takes = |key: &str, value: &str| {
                given.iter().any(|tag| {
                    let is_meant = tag.get("Key").and_then(Value::as_str) == Some(key);
                    is_meant && tag.get("Value").and_then(Value::as_str).is_none_or(|one| one == value)
                })
            };
            held.retain(|key, value| !given.is_empty() && !takes(key, value));
            Ok(())
        })
    }

    fn each(&self, work: impl Fn(&mut Tags) -> Result<(), Fault>) -> Result<Value, Fault> {
        let mut store = self.cloud.ec2();
        let ids = strings::list(self.input.get("Resources"));
        for id in &ids {
            if store.tags(id).is_none() {
                let fixed = access::is_fixed(id).then(|| {
                    Fault::sender(
                        "OperationNotPermitted",
                        format!("The network of {id} is the local cloud's own and cannot be changed."),
                    )
                });
                let kind = Kind::of_id(id);
                let unknown = || Fault::sender("InvalidID", format!("The ID '{id}' is not valid"));
                return Err(fixed.unwrap_or_else(|| kind.map_or_else(unknown, |kind| kind.not_found(id))));
            }
        }
        for id in &ids {
            if let Some(held) = store.tags(id) {
                work(held)?;
            }
        }
        Ok(Self::done())
    }
}
