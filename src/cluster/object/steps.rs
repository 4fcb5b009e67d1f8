//! What an object's creation, change and removal consist of.

use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use provision::Context;
use serde_json::Value;

use super::Object;
use crate::address::text;
use crate::connection::Session;
use crate::error::Error;
use crate::readiness::{self, Readiness, readiness};
use crate::{MANAGER, Result, wait};

/// Owner of the fields that are set only once; another name than ours, so that our own apply neither holds nor resets them.
const INITIAL_MANAGER: &str = "sluice-initial";
/// How long a pod on Fargate may take, with room for a slow image (FACTS: up to ten minutes seen).
const READY_LIMIT: Duration = Duration::from_mins(15);
/// A removal waits for finalizers and for pods' grace periods.
const GONE_LIMIT: Duration = Duration::from_mins(10);
/// A CRD that was applied just now, and an access entry, need a moment before they work everywhere.
const SETTLE_LIMIT: Duration = Duration::from_mins(2);
const PERIOD: Duration = Duration::from_secs(1);

impl Object {
    /// The live object, or `None` if it (or its kind) does not exist.
    pub(super) async fn fetch(&self, session: &Session) -> Result<Option<Value>> {
        let Some(api) = self.name.api(session).await? else { return Ok(None) };
        let found = api.get_opt(&self.name.name).await.map_err(|error| self.failed(session, "read", &error))?;
        found.map(|object| self.as_value(&object)).transpose()
    }

    /// Applies the manifest, sets the initial fields, waits until it is ready.
    pub(super) async fn make(&self, manifest: &Value, context: &Context) -> Result<Value> {
        wait::endpoint_ready(&self.cluster, &context.progress).await?;
        let session = self.cluster.session().await?;
        // What stands there may have come after the plan was made: of a killed run (ours), or somebody else's.
        let existing = self.fetch(&session).await?;
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
        let mut only = serde_json::json!({ "apiVersion": manifest["apiVersion"], "kind": manifest["kind"],
            "metadata": { "name": manifest["metadata"]["name"], "namespace": manifest["metadata"]["namespace"] } });
        merge(&mut only, initial);
        self.apply_patiently(&only, INITIAL_MANAGER, context).await?;
        self.apply_patiently(manifest, MANAGER, context).await
    }

    /// Applies the manifest and waits until it is ready.
    pub(super) async fn change(&self, manifest: &Value, context: &Context) -> Result<Value> {
        self.apply_patiently(manifest, MANAGER, context).await?;
        self.until_ready(context).await
    }

    /// Deletes the object and waits until it and, for a Deployment, its pods are gone.
    pub(super) async fn remove(&self, context: &Context) -> Result<()> {
        let Some(session) = self.cluster.find().await? else { return Ok(()) };
        let Some(api) = self.name.api(&session).await? else { return Ok(()) };
        let Some(live) = self.fetch(&session).await? else { return Ok(()) };
        if let Some(owner) = self.foreign_owner(&live) {
            return Err(Error::Foreign { object: self.name.for_people(), owner });
        }
        match api.delete(&self.name.name, &DeleteParams::background()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
            Err(error) => return Err(self.failed(&session, "delete", &error)),
        }
        self.until_gone(&live, context).await
    }

    /// Applies once the server knows the kind and lets us; both may take a moment after what they depend on was made.
    async fn apply_patiently(&self, manifest: &Value, manager: &str, context: &Context) -> Result<()> {
        let start = context.clock.moment();
        loop {
            let error = match self.apply(manifest, manager).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let passing = matches!(&error, Error::UnknownKind { .. }) || matches!(error.code(), Some(401 | 403 | 404));
            if !passing || context.clock.elapsed(start) >= SETTLE_LIMIT || context.stop.is_cancelled() {
                return Err(error);
            }
            context.progress.report(error.to_string());
            context.clock.sleep(PERIOD).await;
        }
    }

    async fn apply(&self, manifest: &Value, manager: &str) -> Result<()> {
        let session = self.cluster.session().await?;
        let api = self.api(&session).await?;
        let params = PatchParams::apply(manager).force();
        let patched = api.patch(&self.name.name, &params, &Patch::Apply(manifest)).await;
        patched.map(drop).map_err(|error| self.failed(&session, "apply", &error))
    }

    async fn until_ready(&self, context: &Context) -> Result<Value> {
        let start = context.clock.moment();
        let mut last = String::new();
        loop {
            let session = self.cluster.session().await?;
            let why = match self.fetch(&session).await? {
                Some(live) => match readiness(&live) {
                    Readiness::Ready => return Ok(live),
                    Readiness::Waiting(why) => explain(&session, &live, why).await,
                },
                None => "it has been deleted by somebody else".to_owned(),
            };
            if why != last {
                context.progress.report(why.clone());
                last = why;
            }
            if context.clock.elapsed(start) >= READY_LIMIT || context.stop.is_cancelled() {
                return Err(self.deadline("to become ready", context, start, last));
            }
            context.clock.sleep(PERIOD).await;
        }
    }

    async fn until_gone(&self, live: &Value, context: &Context) -> Result<()> {
        let start = context.clock.moment();
        let mut last = String::new();
        loop {
            let session = self.cluster.session().await?;
            let Some(why) = self.remaining(&session, live).await? else { return Ok(()) };
            if why != last {
                context.progress.report(why.clone());
                last = why;
            }
            if context.clock.elapsed(start) >= GONE_LIMIT {
                return Err(self.deadline("to be gone", context, start, last));
            }
            context.clock.sleep(PERIOD).await;
        }
    }

    /// What is still there of a deleted object.
    async fn remaining(&self, session: &Session, deleted: &Value) -> Result<Option<String>> {
        let uid = text(deleted, "/metadata/uid");
        if let Some(live) = self.fetch(session).await?.filter(|live| text(live, "/metadata/uid") == uid) {
            return Ok(Some(held_by(&live)));
        }
        if self.name.kind != "Deployment" {
            return Ok(None);
        }
        // Fargate profiles and the operator must outlive the pods, not only the Deployment object.
        let Some(pods) = readiness::pods_of(session, deleted).await else { return Ok(None) };
        let names: Vec<String> = pods.into_iter().filter_map(|pod| pod.metadata.name).collect();
        Ok((!names.is_empty()).then(|| format!("its pods are ending: {}", names.join(", "))))
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

    fn failed(&self, session: &Session, verb: &str, error: &kube::Error) -> Error {
        Error::from_kube(&session.server, &format!("{verb} {}", self.name.for_people()), error)
    }

    fn deadline(&self, what: &str, context: &Context, start: clock::Moment, last: String) -> Error {
        let seconds = context.clock.elapsed(start).as_secs();
        Error::Deadline { what: format!("{} {what}", self.name.for_people()), seconds, last }
    }
}

async fn explain(session: &Session, live: &Value, why: String) -> String {
    let trouble = if live["kind"] == "Deployment" { readiness::pod_trouble(session, live).await } else { Vec::new() };
    std::iter::once(why).chain(trouble).collect::<Vec<_>>().join("; ")
}

/// Why a deleted object is still there.
fn held_by(live: &Value) -> String {
    let finalizers = live["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let finalizers: Vec<&str> = finalizers.collect();
    if finalizers.is_empty() {
        let conditions = live["status"]["conditions"].as_array().into_iter().flatten();
        let said = conditions.filter(|c| c["status"] == "True").filter_map(|c| c["message"].as_str());
        return std::iter::once("it is being deleted").chain(said).collect::<Vec<_>>().join("; ");
    }
    format!("it is held by its finalizers {}; whoever set them must run to take them off", finalizers.join(", "))
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
