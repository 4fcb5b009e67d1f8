//! The trigger against a server by script.

use clock::Clock;

use super::*;
use crate::scripted::{Endpoint, context_with, map};

async fn read(answer: &'static str, pairs: &[(&str, &str)]) -> (std::result::Result<f64, String>, String) {
    let endpoint = Endpoint::start(move |_| (200, answer.into())).await;
    let mut metadata = map(&[("serverAddress", &endpoint.url), ("query", "sum(up{a=\"b\"})"), ("threshold", "2")]);
    metadata.extend(map(pairs));
    let trigger = ScaleTriggers { type_: TYPE.into(), metadata, ..Default::default() };
    let context = context_with(Clock::real()).await;
    let scaler = crate::build(&trigger, 0, &context).unwrap();
    assert_eq!(scaler.specs().await.unwrap(), crate::specs(&trigger, 0, "shop"));
    let value = scaler.read(Duration::ZERO).await.map_err(|error| error.to_string());
    let value = value.map(|samples| samples.by_metric[0].1.clone().unwrap().value);
    (value, endpoint.seen().pop().unwrap_or_default())
}

#[tokio::test]
async fn the_one_number_of_the_query_is_the_value() {
    let vector = r#"{"data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2.5"]}]}}"#;
    let (value, seen) =
        read(vector, &[("namespace", "a b"), ("queryParameters", "k=v"), ("customHeaders", "X-Y=z")]).await;
    assert_eq!(value, Ok(2.5));
    for part in ["/api/v1/query?query=sum%28up%7Ba%3D%22b%22%7D%29", "&namespace=a+b", "&k=v", "&time=", "x-y: z"] {
        assert!(seen.contains(part), "{part} is not in {seen}");
    }
    let scalar = r#"{"data":{"resultType":"scalar","result":[1,"7"]}}"#;
    assert_eq!(read(scalar, &[]).await.0, Ok(7.0));
}

#[tokio::test]
async fn an_answer_without_a_number_is_zero_only_where_that_is_wished() {
    let strict = [("ignoreNullValues", "false")];
    for answer in [
        r#"{"data":{"resultType":"vector","result":[]}}"#,
        r#"{"data":{"resultType":"vector","result":[{"value":[]}]}}"#,
        r#"{"data":{"resultType":"vector","result":[{"value":[1,"NaN"]}]}}"#,
        r#"{"data":{"resultType":"vector","result":[{"value":[1,"+Inf"]}]}}"#,
    ] {
        assert_eq!(read(answer, &[]).await.0, Ok(0.0), "{answer}");
        assert!(read(answer, &strict).await.0.is_err(), "{answer}");
    }
    for answer in [
        r#"{"data":{"resultType":"vector","result":[{"value":[1,"1"]},{"value":[1,"2"]}]}}"#,
        r#"{"data":{"resultType":"vector","result":[{"value":[1]}]}}"#,
        r#"{"data":{"resultType":"vector","result":[{"value":[1,"some"]}]}}"#,
        r#"{"status":"error"}"#,
        "down",
    ] {
        assert!(read(answer, &[]).await.0.is_err(), "{answer}");
    }
}
