//! What is wrong with triggers that are not in a cluster yet: the operator's own reading of them, with all that their manifests say and
//! nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use clock::Clock;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::PodSpec;
use keda::api::{AuthPodIdentity, ScaleTriggers, ScaledJob, ScaledObject, TriggerAuthentication};
use keda::metric::{Spec, Target};
use keda::validate;
use scalers::aws_identity::Identities;
use scalers::kubernetes::{Endpoints, Holder, Kubernetes, Pod};
use scalers::services::Services;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::environment::expanded;
use crate::owner::{Owner, SCALED_JOB, SCALED_OBJECT};

/// What the operator makes of the triggers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Declared {
    /// What each of them reads, in order.
    pub triggers: Vec<Explained>,
    /// What keeps the object from being served.
    pub problems: Vec<Problem>,
}

/// One trigger.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// Its place in the list.
    pub index: usize,
    /// Its type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its name in a formula.
    pub name: Option<String>,
    /// The metrics that its metadata alone say it has; the HPA reads `cpu` and `memory` itself.
    pub metrics: Vec<Spec>,
    /// The authentication that it uses, with its kind.
    pub authentication: Option<String>,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, type_, name, metrics, authentication } = self;
        write!(f, "{index} {type_}")?;
        if let Some(name) = name {
            write!(f, " {name:?}")?;
        }
        for (at, metric) in metrics.iter().enumerate() {
            let each = match metric.target {
                Target::AverageValue(_) => "for each replica",
                Target::Value(_) => "in all",
            };
            let separator = if at == 0 { ":" } else { "," };
            write!(f, "{separator} {} at {} {each}", metric.name, metric.target.number())?;
        }
        if metrics.is_empty() && matches!(type_.as_str(), "cpu" | "memory") {
            f.write_str(": read by the HPA itself, of its pods")?;
        } else if metrics.is_empty() {
            f.write_str(": its metric is known when it is built")?;
        }
        match authentication {
            Some(authentication) => write!(f, "; read by {authentication}"),
            None => Ok(()),
        }
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// With what.
    pub subject: Subject,
    /// What, with what to do about it.
    pub text: String,
}

/// What a problem is with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The trigger at this index.
    Trigger(usize),
    /// The list of triggers.
    Triggers,
    /// `advanced.scalingModifiers`.
    Modifiers,
    /// `fallback`.
    Fallback,
}

/// The ScaledObject or ScaledJob among `objects`, which are applied together: its target, ServiceAccount and TriggerAuthentications
/// among them count. Other authentications are not known yet, so what they may give is taken as given. Nothing is called, by `identities`
/// neither.
///
/// # Errors
///
/// In words, if there is no such object, or it cannot be read.
pub fn triggers(objects: &[Value], identities: Identities) -> Result<Declared, String> {
    let find = |kind: &str| objects.iter().find(|object| object["kind"] == kind);
    let (owner, refused): (Box<dyn Owner>, _) = if let Some(object) = find(SCALED_JOB) {
        let job: ScaledJob = read(object)?;
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let refused = validate::scaled_job(name, &job.spec).err();
        (Box::new(job), refused)
    } else {
        let object: ScaledObject = read(find(SCALED_OBJECT).ok_or("there is neither a ScaledObject nor a ScaledJob")?)?;
        let refused = validate::scaled_object(&object.spec).err();
        (Box::new(object), refused)
    };
    let mut declared = Declared::default();
    declared
        .problems
        .extend(refused.map(|error| Problem { subject: subject(&error, owner.triggers()), text: error.to_string() }));
    let namespace = owner.metadata().namespace.clone().unwrap_or_default();
    let known = Known { objects, environment: environment(objects, owner.as_ref()) };
    // Triggers are built, and none is ever read.
    let services = Arc::new(Services::new(identities, Arc::new(Nothing), Clock::real()));
    for (index, trigger) in owner.triggers().iter().enumerate() {
        declared.triggers.push(explained(trigger, index, &namespace));
        if trigger.is_resource() {
            continue;
        }
        let context = known.context(trigger, &services, owner.as_ref());
        match scalers::build(trigger, index, &context) {
            Ok(_) | Err(scalers::Error::OpenAuthentication { .. }) => {}
            Err(error) => {
                let problem = Problem { subject: Subject::Trigger(index), text: error.to_string() };
                declared.problems.push(problem);
            }
        }
    }
    Ok(declared)
}

fn read<T: DeserializeOwned>(object: &Value) -> Result<T, String> {
    T::deserialize(object).map_err(|error| error.to_string())
}

fn explained(trigger: &ScaleTriggers, index: usize, namespace: &str) -> Explained {
    let reference = trigger.authentication_ref.as_ref().filter(|reference| !reference.name.is_empty());
    Explained {
        index,
        type_: trigger.type_.clone(),
        name: trigger.name.clone().filter(|name| !name.is_empty()),
        metrics: scalers::specs(trigger, index, namespace),
        authentication: reference.map(|reference| {
            let kind = reference.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("TriggerAuthentication");
            format!("{kind} {}", reference.name)
        }),
    }
}

/// What an error of the whole object is with.
fn subject(error: &keda::Error, triggers: &[ScaleTriggers]) -> Subject {
    let of = |type_: &str| triggers.iter().position(|trigger| trigger.type_ == type_);
    match error {
        keda::Error::Modifiers(_) => Subject::Modifiers,
        keda::Error::NegativeFallback { .. }
        | keda::Error::FallbackBehavior(_)
        | keda::Error::FallbackWithoutExternalTrigger
        | keda::Error::FallbackWithoutFormula => Subject::Fallback,
        keda::Error::JobMetricType(type_)
        | keda::Error::CachedMetricsUnsupported(type_)
        | keda::Error::Resource { trigger: type_, .. } => of(type_).map_or(Subject::Triggers, Subject::Trigger),
        _ => Subject::Triggers,
    }
}

/// What the manifests say of the triggers' surroundings.
struct Known<'a> {
    objects: &'a [Value],
    environment: BTreeMap<String, String>,
}

impl Known<'_> {
    fn context(&self, trigger: &ScaleTriggers, services: &Arc<Services>, owner: &dyn Owner) -> scalers::Context {
        let reference = trigger.authentication_ref.as_ref().filter(|reference| !reference.name.is_empty());
        let found = reference.and_then(|reference| {
            let of_name = |object: &&Value| {
                object["kind"] == reference.kind.as_deref().unwrap_or("TriggerAuthentication")
                    && object["metadata"]["name"] == reference.name
            };
            self.objects.iter().find(of_name).and_then(|object| TriggerAuthentication::deserialize(object).ok())
        });
        let pod_identity: Option<AuthPodIdentity> =
            found.as_ref().and_then(|authentication| authentication.spec.pod_identity.clone());
        scalers::Context {
            services: Arc::clone(services),
            name: owner.metadata().name.clone().unwrap_or_default(),
            namespace: owner.metadata().namespace.clone().unwrap_or_default(),
            is_metric_source: owner.has_formula(),
            environment: self.environment.clone(),
            authentication: BTreeMap::new(),
            authentication_is_open: reference.is_some() && found.is_none(),
            pod_identity,
            workload: self.workload(),
        }
    }

    fn workload(&self) -> scalers::Workload {
        let Some(account) = self.objects.iter().find(|object| object["kind"] == "ServiceAccount") else {
            return scalers::Workload::default();
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let metadata = &account["metadata"];
        let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        scalers::Workload {
            service_account: format!("{}/{}", namespace.unwrap_or_default(), name.unwrap_or_default()),
            role_arn: text(&metadata["annotations"][scalers::ROLE_ARN_ANNOTATION]),
        }
    }
}

/// The variables of the target's container that its template writes out.
fn environment(objects: &[Value], owner: &dyn Owner) -> BTreeMap<String, String> {
    let template = objects.iter().find_map(|object| {
        let pointer = match object["kind"].as_str()? {
            SCALED_JOB => "/spec/jobTargetRef/template/spec",
            "Deployment" => "/spec/template/spec",
            _ => return None,
        };
        object.pointer(pointer)
    });
    let pods = template.and_then(|template| PodSpec::deserialize(template).ok());
    let container = crate::authentication::container(pods.as_ref(), owner.container()).ok().flatten();
    let mut variables = BTreeMap::new();
    for variable in container.into_iter().flat_map(|container| container.env.iter().flatten()) {
        if variable.value_from.is_none() {
            let value = expanded(variable.value.as_deref().unwrap_or_default(), &variables);
            variables.insert(variable.name.clone(), value);
        }
    }
    variables
}

/// The cluster of objects that are in none yet.
struct Nothing;

impl Kubernetes for Nothing {
    fn pods<'a>(&'a self, namespace: &'a str, _selector: &'a str) -> BoxFuture<'a, Result<Vec<Pod>, String>> {
        Box::pin(std::future::ready(Err(format!("the pods of {namespace} are in no cluster yet"))))
    }

    fn endpoints<'a>(&'a self, namespace: &'a str, _service: &'a str) -> BoxFuture<'a, Result<Vec<Endpoints>, String>> {
        Box::pin(std::future::ready(Err(format!("the endpoints of {namespace} are in no cluster yet"))))
    }

    fn data<'a>(
        &'a self,
        namespace: &'a str,
        holder: Holder,
        name: &'a str,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, String>> {
        Box::pin(std::future::ready(Err(format!("{holder:?} {namespace}/{name} is in no cluster yet"))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(spec: &Value) -> Value {
        let mut object = json!({
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "a", "namespace": "n"},
            "spec": {"scaleTargetRef": {"name": "a"}},
        });
        for (key, value) in spec.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        object
    }

    async fn declared(spec: &Value) -> Declared {
        let settings =
            aws::session::Settings { region: Some("eu-west-1".into()), ..aws::session::Settings::new("test") };
        let session = aws::session::Session::load(settings).await.unwrap();
        triggers(&[object(spec)], Identities::new(session, None, Clock::real())).unwrap()
    }

    async fn problems(spec: Value) -> Vec<(Subject, String)> {
        let declared = declared(&spec).await;
        declared.problems.into_iter().map(|problem| (problem.subject, problem.text)).collect()
    }

    #[tokio::test]
    async fn a_list_in_order_is_explained_and_has_no_problem() {
        let spec = json!({"triggers": [
            {"type": "kubernetes-workload", "name": "pods", "metadata": {"podSelector": "app=a", "value": "2"}},
            {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "60"}},
        ]});
        let declared = declared(&spec).await;
        assert_eq!(declared.problems, []);
        let lines: Vec<_> = declared.triggers.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "0 kubernetes-workload \"pods\": s0-workload-n at 2 for each replica",
                "1 cpu: read by the HPA itself, of its pods"
            ]
        );
    }

    #[tokio::test]
    async fn each_trigger_that_cannot_be_built_is_named_with_its_key_and_cause() {
        let spec = json!({"triggers": [
            {"type": "cron", "metadata": {"start": "0 8 * * *", "end": "0 8 * * *", "timezone": "Mars/Base"}},
            {"type": "carrier-pigeon", "metadata": {}},
        ]});
        let found = problems(spec).await;
        assert_eq!(
            found.iter().map(|(subject, _)| *subject).collect::<Vec<_>>(),
            [Subject::Trigger(0), Subject::Trigger(1)]
        );
        assert!(found[0].1.contains("timezone") && found[0].1.contains("desiredReplicas"), "{found:?}");
        assert!(found[1].1.contains("carrier-pigeon"), "{found:?}");
    }

    #[tokio::test]
    async fn what_an_authentication_of_others_may_give_is_no_problem_and_what_it_cannot_give_is() {
        let trigger = |value: &str, reference: Value| {
            json!({"triggers": [{"type": "metrics-api", "authenticationRef": reference, "metadata": {
                "url": "http://localhost:1/", "valueLocation": "a", "targetValue": value,
                "authMode": "bearer",
            }}]})
        };
        let theirs = json!({"name": "theirs"});
        assert_eq!(problems(trigger("3", theirs.clone())).await, []);
        let found = problems(trigger("three", theirs)).await;
        assert!(found.len() == 1 && found[0].1.contains("targetValue"), "{found:?}");
        let found = problems(trigger("3", Value::Null)).await;
        assert!(found.len() == 1 && found[0].1.contains("bearerToken"), "{found:?}");
    }

    #[tokio::test]
    async fn a_server_that_only_an_authentication_of_others_names_is_no_problem() {
        let trigger = |reference: Value| {
            let metadata = json!({"listName": "orders"});
            json!({"triggers": [{"type": "redis", "authenticationRef": reference, "metadata": metadata}]})
        };
        assert_eq!(problems(trigger(json!({"name": "theirs"}))).await, []);
        assert_eq!(problems(trigger(Value::Null)).await.len(), 1);
    }

    #[tokio::test]
    async fn a_formula_and_a_fallback_are_read_as_the_operator_reads_them() {
        let trigger = json!([{"type": "kubernetes-workload", "name": "pods", "metadata": {"podSelector": "app=a", "value": "2"}}]);
        let modifiers = json!({"scalingModifiers": {"formula": "pods + queue", "target": "2"}});
        let found = problems(json!({"triggers": trigger.clone(), "advanced": modifiers})).await;
        assert!(found.len() == 1 && found[0].0 == Subject::Modifiers && found[0].1.contains("queue"), "{found:?}");
        let fallback = json!({"failureThreshold": 3, "replicas": 1, "behavior": "sideways"});
        let found = problems(json!({"triggers": trigger, "fallback": fallback})).await;
        assert!(found.len() == 1 && found[0].0 == Subject::Fallback && found[0].1.contains("sideways"), "{found:?}");
    }
}
