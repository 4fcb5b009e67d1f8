//! How objects are called inside the operator.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use kube::api::ObjectMeta;

/// Namespace and name of an object; the namespace is empty for cluster-wide kinds. Clones share the text, since the key of an object
/// stands in a dozen indexes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(Arc<Names>);

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Names {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self(Arc::new(Names { namespace: namespace.to_owned(), name: name.to_owned() }))
    }

    pub(crate) fn of(metadata: &ObjectMeta) -> Self {
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().to_owned();
        Self(Arc::new(Names { namespace: text(&metadata.namespace), name: text(&metadata.name) }))
    }
}

impl Deref for Key {
    type Target = Names;

    fn deref(&self) -> &Names {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A key with its kind, where objects of several kinds stand in one list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Reference {
    /// As manifests have it: `ScaledObject`.
    pub(crate) kind: &'static str,
    pub(crate) key: Key,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}
