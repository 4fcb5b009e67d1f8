//! What remote API servers said of themselves last.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Namespace, name and port of a Service, by which a server is known.
pub(crate) type Server = (String, String, u64);
/// An aggregated document and its ETag.
type Document = (String, Value);

/// The last aggregated document of each server.
#[derive(Debug, Default)]
pub(crate) struct RemoteDocuments(Mutex<HashMap<Server, Document>>);

impl RemoteDocuments {
    pub(crate) fn get(&self, server: &Server) -> Option<Document> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(server).cloned()
    }

    pub(crate) fn put(&self, server: Server, etag: String, list: Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(server, (etag, list));
    }
}
