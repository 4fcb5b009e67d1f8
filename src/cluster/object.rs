//! Any Kubernetes manifest as a resource of the engine, by server-side apply.

mod passed_over;
mod release;
mod steps;
mod waits;

use futures::FutureExt;
use futures::future::BoxFuture;
use provision::{Address, Attributes, Context, Failure, Health, Known, Reading, Resource, Schema};
use serde_json::{Value, json};

use crate::address::{Name, text};
use crate::connection::Cluster;
use crate::ending::{DISCOVERY, ending};
use crate::error::Error;
use crate::kinds::OperatorHomes;
use crate::readiness::{Readiness, readiness};
use crate::shape::Past;

use crate::{LABEL_MANAGED_BY, LABEL_STACK, MANAGER, Result, diagnosis, ownership, shape};

/// The attribute that holds the manifest.
pub(crate) const MANIFEST: &str = "manifest";

/// What an [`Object`] is made from.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The object with apiVersion, kind, name and our labels; its texts may hold references of the engine.
    pub object: Value,
    /// Fields set when it is made and left to others afterwards (a Deployment's replicas that an autoscaler owns).
    pub initial: Option<Value>,
    /// What must exist before it and outlive it.
    pub depends_on: Vec<Address>,
    /// The resource that is the cluster, if the same plan makes it.
    pub lives_in: Option<Address>,
}

/// A Kubernetes object as a resource.
#[derive(Debug, Clone)]
pub struct Object {
    cluster: Cluster,
    stack: String,
    name: Name,
    address: Address,
    desired: Attributes,
    initial: Option<Value>,
    depends_on: Vec<Address>,
    lives_in: Option<Address>,
    turn: u8,
    is_operator: bool,
    spares: bool,
}

impl Object {
    /// The object of `manifest` in `cluster`, belonging to `stack`. Its address is `kubernetes_<kind>.<namespace>/<name>`.
    ///
    /// # Errors
    ///
    /// [`Error::Manifest`] if the object lacks `apiVersion`, `kind` or `metadata.name`.
    pub fn new(cluster: Cluster, stack: &str, manifest: Manifest) -> Result<Self> {
        let Manifest { mut object, initial, depends_on, lives_in } = manifest;
        let name = Name::of(&object)?;
        object["metadata"]["labels"][LABEL_MANAGED_BY] = MANAGER.into();
        object["metadata"]["labels"][LABEL_STACK] = stack.into();
        Ok(Self {
            cluster,
            stack: stack.to_owned(),
            address: name.address(),
            turn: OperatorHomes::default().turn(&name),
            is_operator: false,
            spares: false,
            name,
            desired: Attributes::from([(MANIFEST.to_owned(), object)]),
            initial,
            depends_on,
            lives_in,
        })
    }

    /// The same, removed in the order that an operator in one of `homes` needs.
    #[must_use]
    pub fn taking_turns(mut self, homes: &OperatorHomes) -> Self {
        self.turn = homes.turn(&self.name);
        self.is_operator = homes.is_operator(&self.name);
        self
    }

    /// The same, not removed while it holds what is not the stack's.
    #[must_use]
    pub fn sparing(mut self, spares: bool) -> Self {
        self.spares = spares;
        self
    }

    /// The error as the engine has it. After a wait in vain with what there is to see.
    async fn failure(&self, error: Error) -> Failure {
        let failure = Failure::new(&error);
        if !matches!(error, Error::Deadline { .. } | Error::Hopeless { .. }) {
            return failure;
        }
        let Ok(session) = self.cluster.session().await else { return failure };
        let seen = diagnosis::of(&session, &self.name, diagnosis::Logs::Ailing).await;
        let failure = failure.seen(seen.evidence);
        match self.own_next_step(&error).or(seen.next) {
            Some(next) => failure.next(next),
            None => failure,
        }
    }

    /// What ends a wait that its own conditions explain.
    fn own_next_step(&self, error: &Error) -> Option<String> {
        let why = error.to_string();
        let is_stale = self.name.kind == "Namespace" && why.contains(DISCOVERY);
        is_stale.then(|| {
            "remove the API services that its condition names, or mend what serves them (`kubectl get apiservices`), then \
             run `sluice up` again"
                .to_owned()
        })
    }

    /// Who the live object belongs to, if that is not us.
    fn foreign_owner(&self, live: &Value) -> Option<String> {
        let label = |name: &str| live["metadata"]["labels"][name].as_str();
        match (label(LABEL_MANAGED_BY), label(LABEL_STACK)) {
            (Some(MANAGER), Some(stack)) if stack == self.stack => None,
            (_, Some(stack)) => Some(format!("the stack {stack:?}")),
            (Some(manager), None) => Some(format!("{manager:?}")),
            (None, None) => Some(format!("somebody else (it lacks the label {LABEL_STACK})")),
        }
    }

    /// The engine's view of a live object. References that nobody could fill in yet only hide what differs in their place.
    fn present(
        &self,
        live: &Value,
        desired: Option<&Value>,
        recorded: Option<&provision::Object>,
    ) -> provision::Object {
        let owned = ownership::of(live, MANAGER);
        let recorded = recorded.and_then(|object| object.attributes.get(MANIFEST)).unwrap_or(&Value::Null);
        let past = Past { owned: &owned, recorded };
        let desired = desired.or_else(|| self.desired.get(MANIFEST)).unwrap_or(&Value::Null);
        let manifest = shape::projected(desired, Some(live), past).unwrap_or(Value::Null);
        let attributes = Attributes::from([(MANIFEST.to_owned(), manifest)]);
        let health = match readiness(live) {
            _ if text(live, "/metadata/deletionTimestamp").is_some() => Health::Broken(ending(live)),
            // Replicas of a scaled Deployment come and go; that is its work, not its making.
            Readiness::Waiting(why) if self.initial.is_none() => Health::Settling(why),
            _ => Health::Ready,
        };
        provision::Object { health, ..provision::Object::new(self.name.id(), attributes) }
    }

    async fn look(&self, known: Known<'_>) -> Result<Reading> {
        let Some(session) = self.cluster.find().await? else { return Ok(Reading::Absent) };
        let Some(live) = self.fetch(&session).await? else { return Ok(Reading::Absent) };
        if let Some(owner) = self.foreign_owner(&live) {
            return Ok(Reading::Foreign(format!("it belongs to {owner}")));
        }
        Ok(Reading::Present(self.present(&live, known.desired.get(MANIFEST), known.recorded)))
    }
}

fn manifest(attributes: &Attributes) -> Value {
    attributes.get(MANIFEST).cloned().unwrap_or_else(|| json!({}))
}

impl Resource for Object {
    fn address(&self) -> &Address {
        &self.address
    }

    fn desired(&self) -> &Attributes {
        &self.desired
    }

    fn schema(&self) -> Schema {
        // What others write is left out by the projection already.
        Schema::default()
    }

    fn depends_on(&self) -> Vec<Address> {
        self.depends_on.clone()
    }

    fn lives_in(&self) -> Option<Address> {
        self.lives_in.clone()
    }

    fn removal_turn(&self) -> Option<u8> {
        Some(self.turn)
    }

    fn slot(&self) -> Option<String> {
        self.is_operator.then(|| "kubernetes/operator".to_owned())
    }

    fn is_disturbed_by(&self, dependency: &Address) -> bool {
        // EKS ends a profile's pods with it, and gives new ones to Fargate only once the next is there.
        matches!(self.name.kind.as_str(), "Deployment" | "ScaledJob") && dependency.kind() == "aws_eks_fargate_profile"
    }

    fn goes_with_container(&self) -> bool {
        self.lives_in.is_some()
    }

    fn identity(&self) -> String {
        self.name.for_people()
    }

    fn same(&self, _path: &str, desired: &Value, actual: &Value) -> bool {
        shape::same_scalar(desired, actual)
    }

    fn read<'a>(&'a self, known: Known<'a>, _context: &'a Context) -> BoxFuture<'a, Result<Reading, Failure>> {
        async move { self.look(known).await.map_err(Failure::new) }.boxed()
    }

    fn create<'a>(
        &'a self,
        desired: &'a Attributes,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<provision::Object, Failure>> {
        async move {
            let manifest = manifest(desired);
            match self.make(&manifest, context).await {
                Ok(live) => Ok(self.present(&live, Some(&manifest), None)),
                Err(error) => Err(self.failure(error).await),
            }
        }
        .boxed()
    }

    fn update<'a>(
        &'a self,
        _current: &'a provision::Object,
        desired: &'a Attributes,
        _changed: &'a [String],
        context: &'a Context,
    ) -> BoxFuture<'a, Result<provision::Object, Failure>> {
        async move {
            let manifest = manifest(desired);
            match self.change(&manifest, context).await {
                Ok(live) => Ok(self.present(&live, Some(&manifest), None)),
                Err(error) => Err(self.failure(error).await),
            }
        }
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        _current: &'a provision::Object,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        // The object's identity is part of this resource (also of one made by the audit), so `current` adds nothing.
        async move {
            match self.remove(context).await {
                Ok(()) => Ok(()),
                Err(error) => Err(self.failure(error).await),
            }
        }
        .boxed()
    }
}
