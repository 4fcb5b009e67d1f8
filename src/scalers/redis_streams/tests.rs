//! The trigger against a server by script.

use clock::Clock;

use super::*;
use crate::scripted::redis::Redis;
use crate::scripted::{context_with, map};

async fn read(
    script: impl Fn(&str) -> &'static str + Send + Sync + 'static,
    pairs: &[(&str, &str)],
) -> std::result::Result<(f64, f64, bool), String> {
    let server = Redis::start(move |command| script(command).to_owned()).await;
    let mut metadata = map(&[("address", &server.address), ("stream", "orders")]);
    metadata.extend(map(pairs));
    let trigger = ScaleTriggers { type_: TYPE.into(), metadata, ..Default::default() };
    let context = context_with(Clock::real()).await;
    let scaler = crate::build(&trigger, 0, &context).map_err(|error| error.to_string())?;
    assert_eq!(scaler.specs().await.unwrap(), crate::specs(&trigger, 0, "shop"));
    assert_eq!(scaler.specs().await.unwrap()[0].name, "s0-redis-streams-orders");
    let samples = scaler.read(Duration::ZERO).await.map_err(|error| error.to_string())?;
    let sample = samples.by_metric[0].1.clone().unwrap();
    Ok((sample.value, sample.target.number(), sample.active))
}

fn groups(command: &str, lag: &'static str) -> &'static str {
    match command {
        "XLEN orders" => ":9\r\n",
        "XINFO GROUPS orders" => lag,
        _ => "-ERR no script\r\n",
    }
}

#[tokio::test]
async fn the_length_the_pending_entries_or_the_lag_are_counted() {
    let length = |command: &str| if command == "XLEN orders" { ":4\r\n" } else { "-ERR no script\r\n" };
    assert_eq!(read(length, &[("activationLagCount", "4")]).await, Ok((4.0, 5.0, false)));
    let pending = |command: &str| match command {
        "XPENDING orders g" => "*4\r\n:3\r\n$3\r\n1-1\r\n$3\r\n1-9\r\n*0\r\n",
        _ => "-ERR no script\r\n",
    };
    assert_eq!(read(pending, &[("consumerGroup", "g"), ("pendingEntriesCount", "2")]).await, Ok((3.0, 2.0, true)));
    let lag = |command: &str| groups(command, "*1\r\n*4\r\n$4\r\nname\r\n$1\r\ng\r\n$3\r\nlag\r\n:6\r\n");
    assert_eq!(read(lag, &[("consumerGroup", "g"), ("lagCount", "3")]).await, Ok((6.0, 3.0, true)));
    assert_eq!(read(lag, &[("consumerGroup", "new"), ("lagCount", "3")]).await, Ok((9.0, 3.0, true)));
    let empty = |command: &str| if command == "XLEN orders" { ":0\r\n" } else { "-ERR no such key\r\n" };
    assert_eq!(read(empty, &[("consumerGroup", "g"), ("lagCount", "3")]).await, Ok((0.0, 3.0, false)));
}

#[tokio::test]
async fn what_cannot_be_counted_is_no_zero() {
    let group = [("consumerGroup", "g"), ("lagCount", "3")];
    let unknown = |command: &str| groups(command, "*1\r\n*4\r\n$4\r\nname\r\n$1\r\ng\r\n$3\r\nlag\r\n$-1\r\n");
    assert!(read(unknown, &group).await.unwrap_err().contains("entries of the stream were deleted"));
    let old = |command: &str| groups(command, "*1\r\n*2\r\n$4\r\nname\r\n$1\r\ng\r\n");
    assert!(read(old, &group).await.unwrap_err().contains("redis version 7+ required for lag"));
    let missing = |_: &str| "-NOGROUP No such key 'orders' or consumer group 'g'\r\n";
    assert!(read(missing, &[("consumerGroup", "g")]).await.unwrap_err().contains("NOGROUP"));
    for (pairs, part) in [
        (&[("stream", "")][..], "no stream given"),
        (&[("streamLength", "0")], "streamLength=0 must be greater than 0"),
        (&[("consumerGroup", "g"), ("lagCount", "some")], "lagCount=\"some\" cannot be read"),
    ] {
        let error = read(|_| "", pairs).await.unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}
