//! The client of this process: the same handlers as the socket, without the socket.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use crate::audit::{Entry, Head};
use crate::cluster::Cluster;
use crate::handlers;
use crate::patch::PatchType;
use crate::request::{Body, Call, Query, Reply};
use crate::status::Status;
use crate::user::User;
use crate::watch::Event;

/// Acts as one user. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    cluster: Arc<Cluster>,
    user: User,
}

impl Client {
    pub(crate) fn new(cluster: Arc<Cluster>, user: User) -> Self {
        Self { cluster, user }
    }

    /// Whom this client acts as.
    pub fn user(&self) -> &User {
        &self.user
    }

    async fn send(&self, method: Method, path_and_query: &str, content_type: &str, body: Option<&Value>) -> Reply {
        self.send_with(HeaderMap::new(), method, path_and_query, content_type, body).await
    }

    async fn send_with(
        &self,
        mut headers: HeaderMap,
        method: Method,
        path_and_query: &str,
        content_type: &str,
        body: Option<&Value>,
    ) -> Reply {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        if let Ok(value) = HeaderValue::from_str(content_type) {
            headers.insert(http::header::CONTENT_TYPE, value);
        }
        let call = Call {
            user: self.user.clone(),
            method,
            path: path.to_owned(),
            query: Query::parse(query),
            headers,
            body: body.map(|body| Bytes::from(body.to_string())).unwrap_or_default(),
        };
        let head = Head { method: &call.method, uri: path_and_query, headers: &call.headers, source: "127.0.0.1" };
        let Some(mut entry) = Entry::begin(&self.cluster, head) else {
            return handlers::handle(&self.cluster, call).await;
        };
        entry.by(&self.user);
        entry.finish(handlers::handle(&self.cluster, call).await)
    }

    /// One request; paths are as on the wire.
    ///
    /// # Errors
    ///
    /// The server's [`Status`] if it refuses, or if the request is a watch.
    pub async fn request(
        &self,
        method: Method,
        path_and_query: &str,
        content_type: &str,
        body: Option<&Value>,
    ) -> Result<Value, Status> {
        read(self.send(method, path_and_query, content_type, body).await).await
    }

    /// Reads a document in the form that `accept` names.
    ///
    /// # Errors
    ///
    /// The server's [`Status`] if it refuses.
    pub async fn get_as(&self, path: &str, accept: &'static str) -> Result<Value, Status> {
        let headers = HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static(accept))]);
        read(self.send_with(headers, Method::GET, path, "application/json", None).await).await
    }

    /// Reads one object (or any document).
    ///
    /// # Errors
    ///
    /// The server's [`Status`] if it refuses.
    pub async fn get(&self, path: &str) -> Result<Value, Status> {
        self.request(Method::GET, path, "application/json", None).await
    }

    /// Reads a collection; the answer is the List object.
    ///
    /// # Errors
    ///
    /// The server's [`Status`] if it refuses.
    pub async fn list(&self, path: &str) -> Result<Value, Status> {
        self.get(path).await
    }

    /// Creates an object in the collection at `path`.
    ///
    /// # Errors
    ///
    /// The server's [`Status`] if it refuses.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, Status> {
        self.request(Method::POST, path, "application/json", Some(object)).await
    }

    /// Replaces the object at `path`.
    ///
    /// # Errors
    ///
    /// The server's [`Status`] if it refuses.
    pub async fn update(&self, path: &str, object: &Value) -> Result<Value, Status> {
        self.request(Method::PUT, path, "application/json", Some(object)).await
    }

    /// Patches the object at `path`.
    ///
    /// # Errors
    ///
    /// The server's [`Status`] if it refuses.
    pub async fn patch(&self, path: &str, kind: PatchType, body: &Value) -> Result<Value, Status> {
        self.request(Method::PATCH, path, kind.content_type(), Some(body)).await
    }

    /// Deletes the object at `path`, with DeleteOptions if given.
    ///
    /// # Errors
    ///
    /// The server's [`Status`] if it refuses.
    pub async fn delete(&self, path: &str, options: Option<&Value>) -> Result<Value, Status> {
        self.request(Method::DELETE, path, "application/json", options).await
    }

    /// Watches a collection; `query` as on the wire (`labelSelector=…&resourceVersion=…`). The stream ends as a
    /// watch on the wire does: after its time limit, or after an `ERROR`.
    ///
    /// # Errors
    ///
    /// The server's [`Status`] if it refuses, or if `path` cannot be watched.
    pub async fn watch(&self, path: &str, query: &str) -> Result<BoxStream<'static, Event>, Status> {
        let reply = self.send(Method::GET, &format!("{path}?watch=true&{query}"), "application/json", None).await;
        match reply.body {
            Body::Events(events) => Ok(events),
            Body::Json(value) => Err(Status::from_value(value)),
            Body::Bytes(_) | Body::Stream(_) => Err(Status::no_such_path()),
        }
    }
}

/// The document of a reply, or its refusal.
async fn read(reply: Reply) -> Result<Value, Status> {
    let value = match reply.body {
        Body::Json(value) => value,
        Body::Bytes(bytes) => serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())),
        Body::Stream(stream) => {
            let chunks: Vec<Bytes> = stream.collect().await;
            Value::String(String::from_utf8_lossy(&chunks.concat()).into_owned())
        }
        Body::Events(_) => return Err(Status::bad_request("use Client::watch for watches")),
    };
    if reply.code >= 400 {
        return Err(match value {
            Value::Object(_) => Status::from_value(value),
            // Plain pages, in the words in which Go clients report them.
            _ if reply.code == 404 => Status::no_such_path(),
            _ if reply.code == 503 => Status::unavailable("the server is currently unable to handle the request"),
            other => Status::failure(reply.code, "", other.as_str().unwrap_or_default()),
        });
    }
    Ok(value)
}
