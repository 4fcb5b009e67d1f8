//! What an object's creation, change and removal consist of.

use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use provision::Context;
use serde_json::Value;

use super::waits::PERIOD;
use super::{Object, release};
use crate::address::text;
use crate::connection::Session;
use crate::error::Error;
use crate::shape::{self, Past};
use crate::{MANAGER, Result, foreign, ownership, wait};

/// Owner of the fields that are set only once; another name than ours, so that our own apply neither holds nor resets them.
const INITIAL_MANAGER: &str = "sluice-initial";
/// A CRD that was applied just now, and an access entry, need a moment before they work everywhere.
const SETTLE_LIMIT: Duration = Duration::from_mins(2);
/// Attempts that are made within that in any case: a stalled machine, or a fast clock, uses it up in a few.
const SETTLE_ATTEMPTS: u32 = 20;

/// Attempts of a call so far, and when the first one failed.
#[derive(Default)]
struct Failed {
    attempts: u32,
    since: Option<clock::Moment>,
}

impl Object {
    /// The live object, or `None` if it (or its kind) does not exist.
    pub(super) async fn fetch(&self, session: &Session) -> Result<Option<Value>> {
        let Some(api) = self.name.api(session).await? else { return Ok(None) };
        let found = api.get_opt(&self.name.name).await.map_err(|error| self.failed(session, "read", &error))?;
        found.map(|object| self.as_value(&object)).transpose()
    }

    /// Applies the manifest, sets the initial fields, waits until it is ready.
    pub(super) async fn make(&self, manifest: &Value, context: &Context) -> Result<Value> {
        wait::endpoint_ready(&self.cluster, context).await?;
        let session = self.cluster.session().await?;
        // What stands there may have come after the plan was made: of a killed run (ours), or somebody else's.
        let existing = self.fetch_patiently(&session, context).await?;
        if let Some(owner) = existing.as_ref().and_then(|live| self.foreign_owner(live)) {
            return Err(Error::Foreign { object: self.name.for_people(), owner });
        }
        match self.initial.as_ref().filter(|_| existing.is_none()) {
            Some(initial) => self.make_with_initial(manifest, initial, context).await?,
            None => self.apply_patiently(manifest, MANAGER, context).await?,
        }
        self.until_ready(context).await
    }

    /// Both managers own the initial fields from the first moment on; then ours lets go of them.
    async fn make_with_initial(&self, manifest: &Value, initial: &Value, context: &Context) -> Result<()> {
        let mut whole = manifest.clone();
        merge(&mut whole, initial);
        self.apply_patiently(&whole, MANAGER, context).await?;
        self.hand_over(manifest, initial, context).await?;
        self.apply_patiently(manifest, MANAGER, context).await
    }

    /// Makes the initial fields another manager's, so that they stay when ours applies the manifest without them.
    async fn hand_over(&self, manifest: &Value, initial: &Value, context: &Context) -> Result<()> {
        let mut only = serde_json::json!({ "apiVersion": manifest["apiVersion"], "kind": manifest["kind"],
            "metadata": { "name": manifest["metadata"]["name"], "namespace": manifest["metadata"]["namespace"] } });
        merge(&mut only, initial);
        self.apply_patiently(&only, INITIAL_MANAGER, context).await
    }

    /// A run that was killed while it made the object may have left the initial fields ours; as they are now, they are
    /// handed over.
    async fn hand_over_late(&self, manifest: &Value, context: &Context) -> Result<()> {
        let Some(initial) = &self.initial else { return Ok(()) };
        let session = self.cluster.session().await?;
        let Some(live) = self.fetch(&session).await? else { return Ok(()) };
        let kept = shape::projected(initial, Some(&live), Past::NONE).unwrap_or(Value::Null);
        match ownership::part(&ownership::of(&live, MANAGER), &kept) {
            Some(ours) if ours != Value::Object(serde_json::Map::new()) => {
                self.hand_over(manifest, &kept, context).await
            }
            _ => Ok(()),
        }
    }

    /// Applies the manifest and waits until it is ready.
    pub(super) async fn change(&self, manifest: &Value, context: &Context) -> Result<Value> {
        self.hand_over_late(manifest, context).await?;
        self.apply_patiently(manifest, MANAGER, context).await?;
        self.until_ready(context).await
    }

    /// Deletes the object and waits until it and, for a Deployment, its pods are gone.
    pub(super) async fn remove(&self, context: &Context) -> Result<()> {
        let mut failed = Failed::default();
        loop {
            let error = match self.delete_once().await {
                Ok(None) => return Ok(()),
                Ok(Some(live)) => {
                    self.until_gone(&live, context).await?;
                    return if self.is_operator { self.leave(context).await } else { Ok(()) };
                }
                Err(error) => error,
            };
            self.again(error, &mut failed, context).await?;
        }
    }

    /// What the operator's end asks for in a cluster that stays: objects of others are no longer held by its finalizer, and
    /// what it made for itself goes.
    async fn leave(&self, context: &Context) -> Result<()> {
        if !self.spares {
            return Ok(());
        }
        let session = self.cluster.session().await?;
        release::what_stays(&session, &self.stack, context).await?;
        release::own_secrets(&session, self.name.namespace.as_deref().unwrap_or_default()).await
    }

    /// What came after the plan was made is in no plan.
    async fn check_holds(&self) -> Result<()> {
        if !self.spares {
            return Ok(());
        }
        let held = foreign::held(&self.cluster, &self.stack, std::slice::from_ref(&self.address)).await?;
        match held.into_values().next() {
            Some(holds) => Err(Error::Holds { object: self.name.for_people(), holds }),
            None => Ok(()),
        }
    }

    /// Asks for the deletion. The object as it was, or `None` if there is nothing to wait for.
    async fn delete_once(&self) -> Result<Option<Value>> {
        let Some(session) = self.cluster.find().await? else { return Ok(None) };
        let Some(api) = self.name.api(&session).await? else { return Ok(None) };
        let Some(live) = self.fetch(&session).await? else { return Ok(None) };
        if let Some(owner) = self.foreign_owner(&live) {
            return Err(Error::Foreign { object: self.name.for_people(), owner });
        }
        if text(&live, "/metadata/deletionTimestamp").is_some() {
            // Somebody has deleted it already: nothing in it can be spared any more, and its end is only waited for.
            return Ok(Some(live));
        }
        self.check_holds().await?;
        match api.delete(&self.name.name, &DeleteParams::background()).await {
            Ok(_) => Ok(Some(live)),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(error) => Err(self.failed(&session, "delete", &error)),
        }
    }

    /// [`Self::fetch`] as soon as the server lets us.
    async fn fetch_patiently(&self, session: &Session, context: &Context) -> Result<Option<Value>> {
        let mut failed = Failed::default();
        loop {
            match self.fetch(session).await {
                Err(error) => self.again(error, &mut failed, context).await?,
                found => return found,
            }
        }
    }

    /// Applies once the server knows the kind and lets us; both may take a moment after what they depend on was made.
    async fn apply_patiently(&self, manifest: &Value, manager: &str, context: &Context) -> Result<()> {
        let mut failed = Failed::default();
        loop {
            match self.apply(manifest, manager).await {
                Ok(()) => return Ok(()),
                Err(error) => self.again(error, &mut failed, context).await?,
            }
        }
    }

    /// Waits before a call is repeated, if that can help. An answer that is long in coming is no reason to ask only a few times.
    async fn again(&self, error: Error, failed: &mut Failed, context: &Context) -> Result<()> {
        let is_young = match &error {
            // Its definition or its namespace was applied a moment ago.
            Error::UnknownKind { .. } | Error::Refused { code: 404, .. } => true,
            Error::Refused { code: 403, message, .. } if message.contains("is being terminated") => true,
            error => self.is_of_new_cluster(error) || error.passes(),
        };
        failed.attempts += 1;
        let since = *failed.since.get_or_insert_with(|| context.clock.moment());
        let is_over = context.clock.elapsed(since) >= SETTLE_LIMIT && failed.attempts >= SETTLE_ATTEMPTS;
        if !is_young || is_over {
            return Err(error);
        }
        if context.stop.is_cancelled() {
            return Err(Error::Interrupted { what: self.name.for_people() });
        }
        context.progress.report(error.to_string());
        context.clock.sleep(PERIOD).await;
        Ok(())
    }

    /// Whether one of the API servers of a cluster that the stack makes does not know our access entry yet: the next answer may
    /// come from one that does. In a cluster that was there, a refusal stays one.
    pub(super) fn is_of_new_cluster(&self, error: &Error) -> bool {
        let is_refusal = match error {
            Error::Refused { code: 401, .. } => true,
            Error::Refused { code: 403, message, .. } => message.contains(" cannot "),
            _ => false,
        };
        is_refusal && self.lives_in.is_some()
    }

    async fn apply(&self, manifest: &Value, manager: &str) -> Result<()> {
        let session = self.cluster.session().await?;
        let api = self.api(&session).await?;
        let params = PatchParams::apply(manager).force();
        let patched = api.patch(&self.name.name, &params, &Patch::Apply(manifest)).await;
        patched.map(drop).map_err(|error| self.failed(&session, "apply", &error))
    }

    async fn api(&self, session: &Session) -> Result<Api<DynamicObject>> {
        let unknown =
            || Error::UnknownKind { api_version: self.name.api_version.clone(), kind: self.name.kind.clone() };
        self.name.api(session).await?.ok_or_else(unknown)
    }

    fn as_value(&self, object: &DynamicObject) -> Result<Value> {
        let unreadable = |_| Error::Manifest { object: self.name.for_people(), field: "a readable body" };
        serde_json::to_value(object).map_err(unreadable)
    }

    pub(super) fn failed(&self, session: &Session, verb: &str, error: &kube::Error) -> Error {
        Error::from_kube(&session.server, &format!("{verb} {}", self.name.for_people()), error)
    }
}

fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use clock::Clock;
    use futures::FutureExt as _;
    use provision::Progress;
    use serde_json::json;

    use super::*;
    use crate::connection::{Cluster, Connection, Endpoint, Secret, Token};
    use crate::object::Manifest;

    /// An API server whose first answers are failures that take their time, and which holds nothing.
    async fn server(failures: usize) -> String {
        let requests = Arc::<AtomicUsize>::default();
        let answer = move |request: axum::extract::Request| async move {
            let is_first = requests.fetch_add(1, Ordering::Relaxed) < failures;
            if is_first {
                // Three minutes of a clock that is a thousand times as fast.
                Clock::real().sleep(Duration::from_millis(180)).await;
            }
            let resource = json!({ "name": "configmaps", "singularName": "configmap", "namespaced": true,
                "kind": "ConfigMap", "verbs": ["get"] });
            let list = json!({ "kind": "APIResourceList", "groupVersion": "v1", "resources": [resource] });
            let (code, body) = match request.uri().path() {
                _ if is_first => (
                    500,
                    json!({ "kind": "Status", "code": 500, "message": "etcdserver: request timed out",
                    "reason": "InternalError", "status": "Failure" }),
                ),
                "/api/v1" => (200, list),
                _ => (
                    404,
                    json!({ "kind": "Status", "code": 404, "message": "not found", "reason": "NotFound",
                    "status": "Failure" }),
                ),
            };
            let code = http::StatusCode::from_u16(code).unwrap();
            (code, [(http::header::CONTENT_TYPE, "application/json")], body.to_string())
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        url
    }

    #[tokio::test]
    async fn a_slow_failure_is_tried_again() {
        // Each takes three minutes, and the limit is two.
        let url = server(3).await;
        let locate = Arc::new(move || {
            let endpoint = Endpoint { server: url.clone(), certificate_authority: String::new() };
            async move { Ok(Some(endpoint)) }.boxed()
        });
        let expires_at = "2999-01-01T00:00:00Z".parse().unwrap();
        let token =
            Arc::new(move || async move { Ok(Token { value: Secret::new("t".to_owned()), expires_at }) }.boxed());
        let cluster = Cluster::new(Connection::Eks { locate, token }, Clock::scaled(1000.0));
        let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "x", "namespace": "n" } });
        let manifest = Manifest { object, initial: None, depends_on: Vec::new(), lives_in: None };
        let object = Object::new(cluster.clone(), "demo", manifest).unwrap();
        let stop = tokio_util::sync::CancellationToken::new();
        let context = Context { clock: cluster.clock().clone(), progress: Progress::silent(), stop };
        let session = cluster.session().await.unwrap();
        assert_eq!(object.fetch_patiently(&session, &context).await.unwrap(), None);
    }
}
