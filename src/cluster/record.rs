//! Objects that nobody declares any more: known from a state file's record, or found in the cluster by their labels.

use heck::ToSnakeCase as _;
use provision::{Address, Entry};
use serde_json::{Value, json};

use crate::address::text;
use crate::connection::Cluster;
use crate::kinds::KINDS;
use crate::object::{MANIFEST, Manifest, Object};

/// The object that a state file records at `address`; `None` if the address is no Kubernetes object's.
///
/// `lives_in` is the resource that is the cluster, where the stack makes it. What a killed run was only about to make is
/// known by what it was to become, and in files of earlier builds by its address alone.
pub fn rebuild(
    cluster: &Cluster,
    stack: &str,
    address: &Address,
    entry: &Entry,
    lives_in: Option<Address>,
) -> Option<Object> {
    let kind = address.kind().strip_prefix("kubernetes_")?;
    let recorded = entry.object.as_ref().map_or(&entry.wanted, |object| &object.attributes).get(MANIFEST);
    let usable = recorded.filter(|manifest| text(manifest, "/metadata/name").is_some());
    let object = match usable {
        Some(manifest) => without_references(manifest.clone()),
        None => by_address(kind, address)?,
    };
    let manifest = Manifest { object, initial: None, depends_on: entry.depends_on.clone(), lives_in };
    let object = Object::new(cluster.clone(), stack, manifest).ok()?;
    // A record that names something else must not have that removed in the address's name.
    (provision::Resource::address(&object) == address).then_some(object)
}

fn by_address(kind: &str, address: &Address) -> Option<Value> {
    let (api_version, kind) = KINDS.into_iter().find(|(_, name)| name.to_snake_case() == kind)?;
    let (namespace, name) =
        address.name().split_once('/').map_or((None, address.name()), |(namespace, name)| (Some(namespace), name));
    let mut object = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name } });
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = namespace.into();
    }
    Some(object)
}

/// What was recorded is literal; nothing in it is a reference of the engine.
fn without_references(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("${", "$${")),
        Value::Array(items) => items.into_iter().map(without_references).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(key, item)| (key.replace("${", "$${"), without_references(item))).collect()
        }
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use provision::{Attributes, Resource as _};

    use super::*;
    use crate::connection::Connection;

    fn cluster() -> Cluster {
        Cluster::new(Connection::Kubeconfig { file: None, context: None }, clock::Clock::real())
    }

    fn rebuilt(address: &str, entry: &Entry) -> Option<Object> {
        rebuild(&cluster(), "shop", &address.parse().unwrap(), entry, None)
    }

    #[test]
    fn every_kind_comes_back_from_its_record() {
        for (api_version, kind) in KINDS {
            let manifest =
                json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "a", "namespace": "b" } });
            let address = format!("kubernetes_{}.b/a", kind.to_snake_case());
            let attributes = Attributes::from([(MANIFEST.to_owned(), manifest.clone())]);
            let object = provision::Object::new("id", attributes.clone());
            for entry in [
                Entry { object: Some(object), ..Entry::default() },
                // Killed while it was being made, by this build and by an earlier one.
                Entry { wanted: attributes, ..Entry::default() },
                Entry::default(),
            ] {
                let back = rebuilt(&address, &entry).unwrap_or_else(|| panic!("{kind} is not known"));
                assert_eq!(back.identity(), format!("{kind} b/a"));
                assert_eq!(back.desired()[MANIFEST]["apiVersion"], api_version);
                assert!(back.removal_turn().is_some());
            }
        }
    }

    #[test]
    fn a_kind_of_anybodys_comes_back_from_its_record_alone() {
        let manifest = json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "name": "a" },
            "spec": { "text": "${aws_sqs_queue.x.url}" } });
        let attributes = Attributes::from([(MANIFEST.to_owned(), manifest)]);
        let entry = Entry { object: Some(provision::Object::new("id", attributes)), ..Entry::default() };
        let back = rebuilt("kubernetes_widget.a", &entry).unwrap();
        assert_eq!(back.desired()[MANIFEST]["spec"]["text"], "$${aws_sqs_queue.x.url}");
        assert!(rebuilt("kubernetes_widget.a", &Entry::default()).is_none());
        assert!(rebuilt("kubernetes_widget.b", &entry).is_none(), "the record is another object's");
        assert!(rebuilt("aws_sqs_queue.a", &entry).is_none());
    }
}
