//! The window by a clock that a test moves.

use super::*;
use crate::scripted::{context_with, map};

fn trigger(pairs: &[(&str, &str)]) -> ScaleTriggers {
    let mut metadata =
        map(&[("timezone", "Asia/Tokyo"), ("start", "0 8 * * *"), ("end", "0 18 * * *"), ("desiredReplicas", "5")]);
    metadata.extend(map(pairs));
    ScaleTriggers { type_: TYPE.into(), metadata, ..Default::default() }
}

/// The trigger when it is `time` in Tokyo.
async fn at(time: &str, pairs: &[(&str, &str)]) -> (Result<CronWindow>, clock::ClockHandle) {
    let (clock, hands) = Clock::manual(format!("2026-05-11T{time}:00+09:00").parse().unwrap());
    (CronWindow::new(&trigger(pairs), 0, &context_with(clock).await), hands)
}

/// Metadata, and the parts of what is said of them.
type Row = (&'static [(&'static str, &'static str)], &'static [&'static str]);

async fn value(time: &str, pairs: &[(&str, &str)]) -> (f64, bool) {
    let samples = at(time, pairs).await.0.unwrap().read(Duration::ZERO).await.unwrap();
    let sample = samples.by_metric[0].1.clone().unwrap();
    assert_eq!(sample.target, Target::AverageValue(1.0));
    (sample.value, sample.active)
}

#[tokio::test]
async fn the_window_has_its_replicas_and_outside_there_are_none() {
    for (time, wanted) in
        [("07:59", (0.0, false)), ("08:00", (5.0, true)), ("17:59", (5.0, true)), ("18:00", (0.0, false))]
    {
        assert_eq!(value(time, &[]).await, wanted, "{time}");
    }
    // Over midnight.
    let night = [("start", "0 22 * * *"), ("end", "0 6 * * *")];
    for (time, wanted) in [("23:00", (5.0, true)), ("05:59", (5.0, true)), ("06:00", (0.0, false))] {
        assert_eq!(value(time, &night).await, wanted, "{time}");
    }
    // Start and end fall together: the end is not later, so it counts as open.
    assert_eq!(value("12:00", &[("start", "0 8 * * *"), ("end", "0 8 */1 * *")]).await, (5.0, true));
}

#[tokio::test]
async fn the_metric_is_named_as_in_keda() {
    let pairs = [("start", "*/5 6,7 ? * *"), ("end", "0 18 * * *")];
    let spec = Spec { name: "s0-cron-Asia-Tokyo-xSl56Cm7Qmxx-018xxx".into(), target: Target::AverageValue(1.0) };
    assert_eq!(at("12:00", &pairs).await.0.unwrap().specs().await.unwrap(), std::slice::from_ref(&spec));
    assert_eq!(super::spec(&trigger(&pairs), 0), Some(spec));
    assert_eq!(super::spec(&trigger(&[("start", "")]), 0), None);
}

#[tokio::test]
async fn all_that_is_wrong_is_reported_at_once() {
    let table: [Row; 7] = [
        (
            &[("timezone", ""), ("start", " "), ("end", ""), ("desiredReplicas", "")],
            &["no timezone", "no start", "no end", "no desiredReplicas"],
        ),
        (&[("timezone", "Mars/Olympus")], &["Mars/Olympus"]),
        (&[("start", "every day"), ("end", "0 8 * * 9")], &["start=\"every day\"", "end=\"0 8 * * 9\""]),
        (&[("end", "0 8 * * *")], &["must differ"]),
        (&[("desiredReplicas", "0")], &["desiredReplicas=\"0\""]),
        (&[("desiredReplicas", "2.5")], &["desiredReplicas=\"2.5\""]),
        (&[("desiredReplicas", "-1"), ("start", "61 * * * *")], &["desiredReplicas=\"-1\"", "minute"]),
    ];
    for (pairs, parts) in table {
        let error = at("12:00", pairs).await.0.err().unwrap().to_string();
        assert!(error.starts_with("error parsing cron metadata: "), "{error}");
        for part in parts {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }
    let (clock, _hands) = Clock::manual(Timestamp::UNIX_EPOCH);
    let total = ScaleTriggers { metric_type: Some("Value".into()), ..trigger(&[]) };
    assert!(CronWindow::new(&total, 0, &context_with(clock).await).is_err());
}

#[tokio::test]
async fn a_schedule_that_never_comes_is_an_error_and_no_zero() {
    let window = at("12:00", &[("start", "0 0 30 2 *")]).await.0.unwrap();
    let error = window.read(Duration::ZERO).await.unwrap_err().to_string();
    assert!(error.contains("0 0 30 2 *") && error.contains("never comes"), "{error}");
}

#[tokio::test]
async fn it_says_by_itself_when_the_window_opens_and_closes() {
    let (window, hands) = at("07:58", &[]).await;
    let mut changes = window.unwrap().changes().unwrap();
    let mut seen = Vec::new();
    // Two windows and the nights between, a minute at a time.
    for minute in 0..(35 * 60) {
        while let std::task::Poll::Ready(Some(is_open)) = futures::poll!(changes.next()) {
            seen.push((minute, is_open));
        }
        hands.advance(Duration::from_mins(1));
        tokio::task::yield_now().await;
    }
    assert_eq!(seen, [(2, true), (602, false), (1442, true), (2042, false)]);
}
