//! The trigger against an endpoint by script.

use clock::Clock;

use super::*;
use crate::kubernetes::Endpoints;
use crate::scripted::{Cluster, Endpoint, context_in, context_with, map};

/// Keys with their values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn trigger(url: &str, pairs: &[(&str, &str)]) -> ScaleTriggers {
    let mut metadata = map(&[("url", url), ("valueLocation", "queue.length"), ("targetValue", "2")]);
    metadata.extend(map(pairs));
    ScaleTriggers { type_: TYPE.into(), metadata, ..Default::default() }
}

async fn read(
    url: &str,
    pairs: &[(&str, &str)],
    parameters: &[(&str, &str)],
) -> std::result::Result<(f64, bool), String> {
    let mut context = context_with(Clock::real()).await;
    context.authentication = map(parameters);
    let scaler = crate::build(&trigger(url, pairs), 1, &context).map_err(|error| error.to_string())?;
    let samples = scaler.read(Duration::ZERO).await.map_err(|error| error.to_string())?;
    let sample = samples.by_metric[0].1.clone().map_err(|error| error.to_string())?;
    Ok((sample.value, sample.active))
}

#[test]
fn a_number_is_found_in_every_format() {
    let json = r#"{"queue":{"length":7,"text":"500m","a.b":3},"list":[{"n":1},{"n":2}],"none":null}"#;
    let yaml = "queue:\n  length: 7\n  text: 1Ki\nlist:\n  - n: 4\n";
    let xml =
        "<?xml version=\"1.0\"?><stats><queue id=\"1\"><length> 7 </length></queue><x><![CDATA[500m]]></x></stats>";
    let exposed = "# HELP depth d\n# TYPE depth gauge\ndepth_total 1\ndepth{queue=\"a\",x=\"}\"} 3 1700000000\ndepth{queue=\"b\"} 4.5\n";
    let table = [
        ("json", json, "queue.length", 7.0),
        ("json", json, "queue.text", 0.5),
        ("json", json, r"queue.a\.b", 3.0),
        ("json", json, "list.1.n", 2.0),
        ("json", json, "list.#", 2.0),
        ("yaml", yaml, "queue.length", 7.0),
        ("yaml", yaml, "queue.text", 1024.0),
        ("yaml", yaml, "list.0.n", 4.0),
        ("xml", xml, "stats.queue.length", 7.0),
        ("xml", xml, "queue.length", 7.0),
        ("xml", xml, "x", 0.5),
        ("prometheus", exposed, "depth", 3.0),
        ("prometheus", exposed, r#"depth{queue="b"}"#, 4.5),
        ("prometheus", exposed, "depth_total", 1.0),
    ];
    for (format, body, location, wanted) in table {
        let found = Location::new(format, location).unwrap().number(body.as_bytes());
        assert_eq!(found, Ok(wanted), "{format} {location}");
    }
    for (format, body, location) in [
        ("json", json, "queue"),
        ("json", json, "none"),
        ("json", json, "queue.missing"),
        ("json", "{", "queue"),
        ("yaml", yaml, "queue.missing"),
        ("xml", xml, "queue"),
        ("xml", "<a>", "a"),
        ("prometheus", exposed, r#"depth{queue="c"}"#),
        ("prometheus", exposed, "dep"),
    ] {
        let found = Location::new(format, location).unwrap().number(body.as_bytes());
        assert!(found.is_err(), "{format} {location}: {found:?}");
    }
    for (format, location) in
        [("json", "a.#.b"), ("json", "a.*"), ("json", "a|@reverse"), ("prometheus", "a{b=~\"c\"}"), ("csv", "a")]
    {
        assert!(Location::new(format, location).is_err(), "{format} {location}");
    }
}

#[tokio::test]
async fn the_value_is_read_with_the_credentials_of_each_mode() {
    let endpoint = Endpoint::start(|_| (200, r#"{"queue":{"length":5}}"#.into())).await;
    let url = format!("{}/stats?x=1", endpoint.url);
    let modes: [(Pairs<'_>, Pairs<'_>, &str); 6] = [
        (&[], &[], ""),
        (&[("authMode", "apiKey")], &[("apiKey", "k")], "x-api-key: k"),
        (&[("authMode", "apiKey"), ("method", "query")], &[("apiKey", "k y")], "/stats?x=1&api_key=k+y"),
        (&[("authMode", "basic")], &[("username", "u"), ("password", "p")], "authorization: Basic dTpw"),
        (&[("authModes", "bearer")], &[("token", "t")], "authorization: Bearer t"),
        (&[("authModes", "custom")], &[("customAuthHeader", "X-A"), ("customAuthValue", "v")], "x-a: v"),
    ];
    for (metadata, parameters, wanted) in modes {
        assert_eq!(read(&url, metadata, parameters).await, Ok((5.0, true)), "{metadata:?}");
        let seen = endpoint.seen().pop().unwrap();
        assert!(seen.contains(wanted), "{wanted} is not in {seen}");
    }
    assert_eq!(read(&url, &[("activationTargetValue", "5")], &[]).await, Ok((5.0, false)));
}

#[tokio::test]
async fn an_answer_that_is_no_number_is_an_error_without_credentials() {
    let refused = Endpoint::start(|_| (503, "down".into())).await;
    let query = [("authMode", "apiKey"), ("method", "query")];
    let error = read(&format!("{}/stats", refused.url), &query, &[("apiKey", "secret")]).await.unwrap_err();
    assert!(error.contains("/stats: api returned 503") && !error.contains("secret"), "{error}");
    let error = read("http://user:secret@127.0.0.1:9/stats", &query, &[("apiKey", "secret")]).await.unwrap_err();
    assert!(error.contains("127.0.0.1:9") && !error.contains("secret"), "{error}");
    let table: [(Pairs<'_>, &[&str]); 6] = [
        (&[("url", ""), ("valueLocation", ""), ("targetValue", "")], &["no url", "no valueLocation", "no targetValue"]),
        (&[("url", "ftp://secret@x"), ("targetValue", "0")], &["targetValue=\"0\""]),
        (&[("authModes", "basic,bearer")], &["only one of the auth modes", "needs the authentication parameter"]),
        (&[("authMode", "oauth")], &["oauth is not served"]),
        (&[("aggregationType", "most"), ("timeout", "soon")], &["aggregationType=\"most\"", "timeout=\"soon\""]),
        (&[("format", "csv"), ("authMode", "other")], &["format=\"csv\"", "\"other\" is unknown"]),
    ];
    for (pairs, parts) in table {
        let error = read("http://127.0.0.1:9", pairs, &[("ca", "no certificate")]).await.unwrap_err();
        for part in parts.iter().chain(&["ca holds no certificate"]) {
            assert!(error.contains(part) && !error.contains("secret"), "{part} is not in {error}");
        }
    }
}

#[tokio::test]
async fn names_and_targets_are_those_of_keda() {
    let wanted = Spec { name: "s1-metric-api-queue-length".into(), target: Target::AverageValue(2.0) };
    assert_eq!(crate::specs(&trigger("http://x", &[]), 1, "shop"), [wanted]);
    assert_eq!(crate::specs(&trigger("http://x", &[("targetValue", "")]), 1, "shop"), []);
}

#[tokio::test]
async fn what_is_no_address_has_a_metric_and_fails_each_reading() {
    for wrong in ["invalid-invalid", "ftp://secret@x", "http://"] {
        let context = context_with(Clock::real()).await;
        let scaler = crate::build(&trigger(wrong, &[]), 1, &context).unwrap();
        assert_eq!(scaler.specs().await.unwrap()[0].name, "s1-metric-api-queue-length");
        let error = scaler.read(Duration::ZERO).await.err().unwrap().to_string();
        assert_eq!(error, "metrics-api: url is no address that begins with http:// or https://");
    }
}

#[tokio::test]
async fn the_numbers_of_the_endpoints_of_a_service_are_made_one() {
    let good = Endpoint::start(|_| (200, r#"{"queue":{"length":5}}"#.into())).await;
    let port = Url::parse(&good.url).unwrap().port().unwrap();
    let read = async |ready: &[&str], aggregation: &str| {
        let ready = ready.iter().map(|&address| address.to_owned()).collect();
        let cluster = Cluster::with_endpoints(vec![Endpoints { ready, ports: vec![port] }]);
        let context = context_in(Arc::clone(&cluster), Clock::real()).await;
        let url = format!("http://stats.shop.svc:{port}/stats");
        let pairs = [("aggregateFromKubeServiceEndpoints", "true"), ("aggregationType", aggregation)];
        let scaler = crate::build(&trigger(&url, &pairs), 1, &context).unwrap();
        let read = scaler.read(Duration::ZERO).await.map_err(|error| error.to_string());
        assert_eq!(cluster.requests(), [("shop".to_owned(), "stats".to_owned())]);
        read.map(|samples| samples.by_metric[0].1.clone().unwrap().value)
    };
    // Nobody listens at the port on the last one.
    assert_eq!(read(&["127.0.0.1", "127.0.0.2", "127.0.0.1"], "sum").await, Ok(5.0));
    assert_eq!(good.seen().len(), 1);
    assert!(read(&["127.0.0.2"], "average").await.unwrap_err().contains("from the 1 provided endpoints"));
    assert!(read(&[], "max").await.unwrap_err().contains("no endpoint that is ready"));
}
