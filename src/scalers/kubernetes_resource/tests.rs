//! The trigger in a cluster that a test makes up.

use clock::Clock;

use super::*;
use crate::scripted::{Cluster, context_in, map};

/// Keys with their values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn trigger(pairs: Pairs<'_>) -> ScaleTriggers {
    let mut metadata =
        map(&[("resourceKind", "ConfigMap"), ("resourceName", "limits"), ("key", "load"), ("targetValue", "2.5")]);
    metadata.extend(map(pairs));
    ScaleTriggers { type_: TYPE.into(), metadata, ..Default::default() }
}

async fn built(cluster: &Arc<Cluster>, pairs: Pairs<'_>) -> Result<Box<dyn Scaler>> {
    crate::build(&trigger(pairs), 3, &context_in(Arc::clone(cluster), Clock::real()).await)
}

/// The value of an object that holds `load`, and whether it is active.
async fn read(load: &str, pairs: Pairs<'_>) -> std::result::Result<(f64, bool), String> {
    let cluster = Cluster::holding(Ok(map(&[("load", load)])));
    let samples =
        built(&cluster, pairs).await.unwrap().read(Duration::ZERO).await.map_err(|error| error.to_string())?;
    let sample = samples.by_metric[0].1.clone().unwrap();
    Ok((sample.value, sample.active))
}

#[tokio::test]
async fn a_number_is_read_as_it_is_written() {
    const JSON: [(&str, &str); 2] = [("format", "json"), ("valueLocation", "queues.0.load")];
    const YAML: [(&str, &str); 2] = [("format", "yaml"), ("valueLocation", "queues.0.load")];
    for (load, pairs, type_, wanted) in [
        ("12.5", &[][..], "", 12.5),
        (" -3\n", &[], "float64", -3.0),
        ("12.7", &[], "int64", 12.0),
        ("1500m", &[], "quantity", 1.5),
        (r#"{"queues":[{"load":7.5}]}"#, &JSON, "", 7.5),
        (r#"{"queues":[{"load":"2k"}]}"#, &JSON, "", 2000.0),
        (r#"{"queues":[{"load":7.9}]}"#, &JSON, "int64", 7.0),
        (r#"{"queues":[{"load":7.9}]}"#, &JSON, "quantity", 7.9),
        (r#"{"queues":[{"load":1}]}"#, &[JSON[0], ("valueLocation", "queues.#")], "", 1.0),
        ("queues:\n- load: 4\n", &YAML, "", 4.0),
        ("queues:\n- load: '4.5'\n", &YAML, "", 4.5),
        ("queues:\n- load: 500m\n", &YAML, "quantity", 0.5),
    ] {
        let found = read(load, &[pairs, &[("valueType", type_)]].concat()).await;
        assert_eq!(found, Ok((wanted, wanted > 0.0)), "{load} as {type_:?}");
    }
    assert_eq!(read("5", &[("activationTargetValue", "5")]).await, Ok((5.0, false)));
}

#[tokio::test]
async fn what_is_no_number_is_a_failure_that_shows_nothing_of_it() {
    const JSON: [(&str, &str); 2] = [("format", "json"), ("valueLocation", "load")];
    const YAML: [(&str, &str); 2] = [("format", "yaml"), ("valueLocation", "load")];
    for (load, pairs, part) in [
        ("secret", &[][..], "key load: error parsing value as float64"),
        ("NaN", &[], "error parsing value as float64"),
        ("12 secrets", &[("valueType", "int64")], "error parsing value as int64"),
        ("secret", &[("valueType", "quantity")], "error parsing value as quantity"),
        ("secret", &JSON, "its value is no JSON"),
        (r#"{"other":1}"#, &JSON, "path load not found in json"),
        (r#"{"load":"secret"}"#, &JSON, "valueLocation load must point to value of type number"),
        (r#"{"load":"5"}"#, &[JSON[0], JSON[1], ("valueType", "int64")], "must point to value of type number"),
        (r#"{"load":true}"#, &JSON, "must point to value of type number"),
        ("load: [secret", &YAML, "its value is no YAML"),
        ("load: 500m", &YAML, "must point to value of type number"),
        ("secret", &YAML, "path load not found in yaml"),
        ("5", &[("key", "none")], "key none not found"),
    ] {
        let error = read(load, &[pairs, &[("resourceKind", "Secret")]].concat()).await.unwrap_err();
        assert!(error.contains(part) && error.contains("Secret shop/limits"), "{part} is not in {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_no_zero() {
    let cluster = Cluster::holding(Err("configmaps is forbidden".to_owned()));
    let error = built(&cluster, &[]).await.unwrap().read(Duration::ZERO).await.unwrap_err().to_string();
    assert_eq!(error, "error getting metric value from ConfigMap shop/limits: configmaps is forbidden");
}

#[tokio::test]
async fn all_keys_of_an_object_cost_one_read() {
    let cluster = Cluster::holding(Ok(map(&[("load", "1"), ("more", "2")])));
    let context = context_in(Arc::clone(&cluster), Clock::real()).await;
    for pairs in [&[][..], &[("key", "more")], &[("activationTargetValue", "1")]] {
        let scaler = crate::build(&trigger(pairs), 3, &context).unwrap();
        scaler.read(Duration::from_mins(1)).await.unwrap();
    }
    assert_eq!(cluster.requests(), [("shop".to_owned(), "ConfigMap limits".to_owned())]);
    crate::build(&trigger(&[("resourceKind", "Secret")]), 3, &context).unwrap().read(Duration::ZERO).await.unwrap();
    assert_eq!(cluster.requests()[1].1, "Secret limits");
}

#[tokio::test]
async fn names_and_targets_are_those_of_keda() {
    let context = context_in(Cluster::new(Ok(vec![])), Clock::real()).await;
    for (pairs, name) in [
        (&[][..], "s3-configmap-limits-load"),
        (&[("resourceKind", "Secret"), ("key", "tls.load")], "s3-secret-limits-tls-load"),
    ] {
        let wanted = Spec { name: name.into(), target: Target::AverageValue(2.5) };
        assert_eq!(
            crate::build(&trigger(pairs), 3, &context).unwrap().specs().await.unwrap(),
            std::slice::from_ref(&wanted)
        );
        assert_eq!(crate::specs(&trigger(pairs), 3, "shop"), [wanted]);
    }
    assert_eq!(crate::label(TYPE), "kubernetesResourceScaler");
}

#[tokio::test]
async fn all_that_is_wrong_is_reported_at_once() {
    let cluster = Cluster::new(Ok(vec![]));
    for (pairs, parts) in [
        (
            &[("resourceKind", ""), ("resourceName", ""), ("key", ""), ("targetValue", "")][..],
            &["no resourceKind", "no resourceName", "no key", "no targetValue"][..],
        ),
        (
            &[("resourceKind", "Pod"), ("format", "xml"), ("valueType", "string"), ("targetValue", "0")],
            &["resourceKind=\"Pod\"", "format=\"xml\"", "valueType=\"string\"", "targetValue=\"0\""],
        ),
        (&[("valueLocation", "a")], &["valueLocation is only supported with json or yaml format"]),
        (&[("format", "yaml")], &["valueLocation is required for yaml format"]),
        (&[("format", "json"), ("valueLocation", "a|b")], &["'|' of GJSON"]),
    ] {
        let error = built(&cluster, pairs).await.err().unwrap().to_string();
        for part in parts {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }
}
