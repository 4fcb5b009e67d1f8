//! The trigger in a cluster that a test makes up.

use clock::Clock;

use keda::decision::Sample;

use super::*;
use crate::scripted::{Cluster, context_in, map};

fn pod(phase: &str, node: Option<&str>) -> Pod {
    Pod { phase: phase.into(), node: node.map(str::to_owned) }
}

fn pods() -> Vec<Pod> {
    let nodes = [("Pending", None), ("Running", Some("a")), ("Running", Some("a")), ("Unknown", Some("b"))];
    let ended = [("Succeeded", Some("c")), ("Failed", Some("d"))];
    nodes.into_iter().chain(ended).map(|(phase, node)| pod(phase, node)).collect()
}

fn trigger(pairs: &[(&str, &str)]) -> ScaleTriggers {
    let mut metadata = map(&[("podSelector", "app=web"), ("value", "0.5")]);
    metadata.extend(map(pairs));
    ScaleTriggers { type_: TYPE.into(), metadata, ..Default::default() }
}

/// Metadata, and the parts of what is said of them.
type Row = (&'static [(&'static str, &'static str)], &'static [&'static str]);

async fn built(cluster: &Arc<Cluster>, pairs: &[(&str, &str)]) -> Result<Box<dyn Scaler>> {
    crate::build(&trigger(pairs), 3, &context_in(Arc::clone(cluster), Clock::real()).await)
}

async fn sample(pairs: &[(&str, &str)]) -> Sample {
    let cluster = Cluster::new(Ok(pods()));
    let samples = built(&cluster, pairs).await.unwrap().read(Duration::ZERO).await.unwrap();
    assert_eq!(samples.by_metric[0].0, "s3-workload-shop");
    assert_eq!(cluster.requests(), [("shop".to_owned(), "app=web".to_owned())]);
    samples.by_metric[0].1.clone().unwrap()
}

#[tokio::test]
async fn pods_that_have_not_ended_are_counted_or_their_nodes() {
    let counted = sample(&[]).await;
    assert_eq!((counted.value, counted.active, counted.target), (4.0, true, Target::AverageValue(0.5)));
    let nodes = sample(&[("groupByNode", "true"), ("activationValue", "1.5")]).await;
    assert_eq!((nodes.value, nodes.active, nodes.activation), (2.0, true, 1.5));
    let quiet = sample(&[("activationValue", "4")]).await;
    assert!(!quiet.active, "the threshold must be passed");
}

#[tokio::test]
async fn what_cannot_be_listed_is_an_error_and_no_zero() {
    let cluster = Cluster::new(Err("pods is forbidden".to_owned()));
    let error = built(&cluster, &[]).await.unwrap().read(Duration::ZERO).await.unwrap_err().to_string();
    for part in ["app=web", "shop", "pods is forbidden"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn names_and_targets_are_those_of_keda() {
    let total = ScaleTriggers { metric_type: Some("Value".into()), ..trigger(&[("value", "2")]) };
    let wanted = Spec { name: "s3-workload-shop".into(), target: Target::Value(2.0) };
    let context = context_in(Cluster::new(Ok(vec![])), Clock::real()).await;
    assert_eq!(crate::build(&total, 3, &context).unwrap().specs().await.unwrap(), std::slice::from_ref(&wanted));
    assert_eq!(crate::specs(&total, 3, "shop"), [wanted]);
    assert_eq!(crate::label(TYPE), "kubernetesWorkloadScaler");
}

#[tokio::test]
async fn a_source_of_a_formula_needs_no_value_of_its_own() {
    let mut context = context_in(Cluster::new(Ok(pods())), Clock::real()).await;
    assert!(crate::build(&trigger(&[("value", "")]), 3, &context).is_err());
    context.is_metric_source = true;
    let scaler = crate::build(&trigger(&[("value", "")]), 3, &context).unwrap();
    let samples = scaler.read(Duration::ZERO).await.unwrap();
    assert!(matches!(&samples.by_metric[0].1, Ok(sample) if sample.value > 3.9 && sample.active));
    assert!(crate::build(&trigger(&[("value", "0")]), 3, &context).is_err(), "what is written is checked");
}

#[tokio::test]
async fn all_that_is_wrong_is_reported_at_once() {
    let table: [Row; 5] = [
        (&[("podSelector", ""), ("value", "")], &["no podSelector", "no value"]),
        (&[("podSelector", "app in web"), ("value", "0")], &["invalid pod selector", "value=\"0\""]),
        (&[("value", "-1"), ("activationValue", "some")], &["value=\"-1\"", "activationValue=\"some\""]),
        (&[("value", "NaN"), ("groupByNode", "maybe")], &["value=\"NaN\"", "groupByNode=\"maybe\""]),
        (&[("value", "inf")], &["value=\"inf\""]),
    ];
    for (pairs, parts) in table {
        let error = built(&Cluster::new(Ok(vec![])), pairs).await.err().unwrap().to_string();
        for part in parts {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }
}

#[tokio::test]
async fn equal_triggers_of_several_objects_cost_one_list() {
    let cluster = Cluster::new(Ok(pods()));
    let context = context_in(Arc::clone(&cluster), Clock::real()).await;
    for index in 0..3 {
        let scaler = crate::build(&trigger(&[("activationValue", &index.to_string())]), index, &context).unwrap();
        scaler.read(Duration::from_mins(1)).await.unwrap();
    }
    assert_eq!(cluster.requests().len(), 1);
}
