//! The consumer against a scripted queue: receipts, hand-backs, failures, stopping.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::*;

/// A queue on loopback with SQS's JSON protocol, as far as a consumer needs it. Time does not pass in it.
#[derive(Clone, Default)]
struct FakeQueue(Arc<Mutex<Ledger>>);

#[derive(Default)]
struct Ledger {
    waiting: VecDeque<String>,
    in_flight: Vec<String>,
    received: BTreeMap<String, u32>,
    calls: Vec<(String, Value)>,
    /// Answers with this status and code, so many times, per operation.
    refusals: BTreeMap<String, (u16, &'static str, u32)>,
}

impl FakeQueue {
    fn ledger<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn refused(&self, operation: &str) -> Option<(StatusCode, String)> {
        self.ledger(|ledger| {
            let (status, code, left) = ledger.refusals.get_mut(operation)?;
            if *left == 0 {
                return None;
            }
            *left -= 1;
            let body = json!({ "__type": format!("com.amazonaws.sqs#{code}"), "message": "scripted" });
            Some((StatusCode::from_u16(*status).unwrap(), body.to_string()))
        })
    }
}

async fn answer(State(queue): State<FakeQueue>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    let target = headers.get("x-amz-target").unwrap().to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap().to_owned();
    let body: Value = serde_json::from_str(&body).unwrap();
    queue.ledger(|ledger| ledger.calls.push((operation.clone(), body.clone())));
    if let Some(refusal) = queue.refused(&operation) {
        return refusal;
    }
    let handle = body["ReceiptHandle"].as_str().unwrap_or_default().to_owned();
    if operation == "ReceiveMessage" && queue.ledger(|ledger| ledger.waiting.is_empty()) {
        // A short long poll, so that an idle consumer does not spin.
        Clock::real().sleep(Duration::from_millis(5)).await;
    }
    let reply = queue.ledger(|ledger| match operation.as_str() {
        "ReceiveMessage" => ledger.waiting.pop_front().map_or(json!({}), |id| {
            let count = ledger.received.entry(id.clone()).or_default();
            *count += 1;
            let attributes = json!({ "ApproximateReceiveCount": count.to_string(), "SentTimestamp": "1000" });
            ledger.in_flight.push(id.clone());
            let md5 = "acbd18db4cc2f85cedef654fccc4a4d8";
            json!({ "Messages": [{
                "MessageId": id, "ReceiptHandle": id, "Body": "foo", "MD5OfBody": md5, "Attributes": attributes,
            }] })
        }),
        "DeleteMessage" => {
            ledger.in_flight.retain(|id| *id != handle);
            json!({})
        }
        "ChangeMessageVisibility" if body["VisibilityTimeout"] == 0 => {
            ledger.in_flight.retain(|id| *id != handle);
            ledger.waiting.push_back(handle);
            json!({})
        }
        _ => json!({}),
    });
    (StatusCode::OK, reply.to_string())
}

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A consumer at work against a scripted queue.
struct Stage {
    queue: FakeQueue,
    paper: Paper,
    stop: CancellationToken,
    consumer: tokio::task::JoinHandle<Result<()>>,
}

impl Stage {
    async fn start(messages: usize, ledger: impl FnOnce(&mut Ledger), change: impl FnOnce(&mut Settings)) -> Self {
        let (queue, paper, stop) = (FakeQueue::default(), Paper::default(), CancellationToken::new());
        queue.ledger(|found| {
            found.waiting = (0..messages).map(|number| format!("m{number}")).collect();
            ledger(found);
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(queue.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let given = aws::session::Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some(url.clone()),
            ..aws::session::Settings::new("worker")
        };
        let session = Session::load(given).await.unwrap().with_static_credentials("AKIA", "s", None);
        let mut settings = Settings::new(format!("{url}/1/q"), Box::new(paper.clone()));
        settings.pod = "pod-1".into();
        settings.seed = Some(7);
        change(&mut settings);
        let consumer = tokio::spawn({
            let stop = stop.clone();
            async move { consume(&session, settings, Clock::scaled(1000.0), stop).await }
        });
        Self { queue, paper, stop, consumer }
    }

    fn receipts(&self) -> Vec<Value> {
        let bytes = self.paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn outcomes(&self, outcome: &str) -> usize {
        self.receipts().iter().filter(|receipt| receipt["outcome"] == outcome).count()
    }

    fn calls(&self, operation: &str) -> Vec<Value> {
        let all = self.queue.ledger(|ledger| ledger.calls.clone());
        all.into_iter().filter(|(name, _)| name == operation).map(|(_, body)| body).collect()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let check = || std::future::ready(holds(self).then_some(()));
        let found = Clock::real().poll_until(Duration::from_secs(20), Duration::from_millis(2), check).await;
        assert!(found.is_ok(), "never: {what}; receipts {:?}", self.receipts());
    }

    async fn stopped(self) -> (FakeQueue, Vec<Value>) {
        self.stop.cancel();
        self.consumer.await.unwrap().unwrap();
        let bytes = self.paper.0.lock().unwrap().clone();
        let lines = String::from_utf8(bytes).unwrap();
        (self.queue, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

#[tokio::test]
async fn every_message_is_worked_on_deleted_and_receipted_once() {
    let stage = Stage::start(9, |_| {}, |settings| settings.parallelism = 3).await;
    stage.until("nine deletions", |stage| stage.outcomes("deleted") == 9).await;
    let (queue, receipts) = stage.stopped().await;
    assert!(queue.ledger(|ledger| ledger.waiting.is_empty() && ledger.in_flight.is_empty()));
    let mut ids: Vec<_> = receipts.iter().map(|receipt| receipt["message_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), receipts.len()), (9, 9));
    let first = receipts[0].as_object().unwrap();
    assert_eq!((&first["receipt"], &first["receive_count"], &first["pod"]), (&json!(1), &json!(1), &json!("pod-1")));
    let time = |key: &str| first[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(time("finished_at") > time("started_at"));
}

#[tokio::test]
async fn failed_work_hands_the_message_back_and_tries_again() {
    let stage = Stage::start(
        6,
        |_| {},
        |settings| {
            settings.failure_rate = 0.5;
            settings.parallelism = 2;
        },
    )
    .await;
    stage.until("six deletions", |stage| stage.outcomes("deleted") == 6).await;
    assert!(stage.outcomes("failed") > 0);
    let (queue, receipts) = stage.stopped().await;
    assert!(queue.ledger(|ledger| ledger.waiting.is_empty() && ledger.in_flight.is_empty()));
    assert!(receipts.iter().any(|receipt| receipt["receive_count"].as_u64() > Some(1)));
}

#[tokio::test]
async fn stopping_finishes_what_is_in_work_and_begins_nothing_new() {
    let stage = Stage::start(5, |_| {}, |settings| settings.work = Duration::from_secs(400)).await;
    // 400 s of work and 4000 s of grace are 0.4 s and 4 s here.
    stage.until("a message in work", |stage| stage.queue.ledger(|ledger| !ledger.in_flight.is_empty())).await;
    stage.stop.cancel();
    let (queue, receipts) = stage.stopped().await;
    let outcomes: Vec<_> = receipts.iter().map(|receipt| receipt["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["returned"], "25 s of grace do not suffice for 400 s of work");
    assert_eq!(queue.ledger(|ledger| (ledger.waiting.len(), ledger.in_flight.len())), (5, 0));
}

#[tokio::test]
async fn work_that_fits_into_the_grace_is_finished_while_stopping() {
    let stage = Stage::start(
        5,
        |_| {},
        |settings| {
            settings.work = Duration::from_mins(20);
            settings.grace = Duration::from_hours(10);
            settings.visibility = Duration::from_mins(10);
        },
    )
    .await;
    // Received is not yet begun: only work that goes on keeps its message hidden.
    stage.until("a message in work", |stage| !stage.calls("ChangeMessageVisibility").is_empty()).await;
    let (queue, receipts) = stage.stopped().await;
    let outcomes: Vec<_> = receipts.iter().map(|receipt| receipt["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["deleted"]);
    assert_eq!(queue.ledger(|ledger| ledger.waiting.len()), 4);
}

#[tokio::test]
async fn a_long_work_keeps_its_message_hidden() {
    let stage = Stage::start(
        1,
        |_| {},
        |settings| {
            settings.work = Duration::from_mins(5);
            settings.visibility = Duration::from_secs(100);
        },
    )
    .await;
    stage.until("the deletion", |stage| stage.outcomes("deleted") == 1).await;
    let extended = stage.calls("ChangeMessageVisibility");
    assert!(!extended.is_empty() && extended.iter().all(|call| call["VisibilityTimeout"] == 100), "{extended:?}");
    assert_eq!(stage.calls("ReceiveMessage")[0]["VisibilityTimeout"], 100);
    stage.stopped().await;
}

#[tokio::test]
async fn refusals_and_outages_are_waited_out() {
    let refusals = |ledger: &mut Ledger| {
        ledger.refusals.insert("ReceiveMessage".into(), (403, "AccessDenied", 3));
        ledger.refusals.insert("DeleteMessage".into(), (400, "RequestThrottled", 5));
    };
    let stage = Stage::start(2, refusals, |_| {}).await;
    stage.until("two deletions", |stage| stage.outcomes("deleted") == 2).await;
    assert_eq!(stage.outcomes("failed"), 0);
    stage.stopped().await;
}

#[tokio::test]
async fn a_message_that_cannot_be_deleted_is_no_success() {
    let refusals = |ledger: &mut Ledger| {
        ledger.refusals.insert("DeleteMessage".into(), (403, "AccessDenied", 1));
    };
    let stage = Stage::start(1, refusals, |_| {}).await;
    stage.until("a receipt", |stage| !stage.receipts().is_empty()).await;
    assert_eq!((stage.outcomes("deleted"), stage.outcomes("failed")), (0, 1));
    stage.stopped().await;
}

#[test]
fn senseless_settings_are_refused() {
    let refused = |change: fn(&mut Settings)| {
        let mut settings = Settings::new("http://q/1/q", Box::new(Paper::default()));
        change(&mut settings);
        settings.check().unwrap_err().to_string()
    };
    assert!(refused(|settings| settings.parallelism = 0).contains("parallelism"));
    assert!(refused(|settings| settings.failure_rate = f64::NAN).contains("failure_rate"));
    assert!(refused(|settings| settings.queue_url.clear()).contains("queue_url"));
    assert!(refused(|settings| settings.visibility = Duration::ZERO).contains("visibility"));
}

/// What comes of a consumer that ends by itself.
async fn ended(stage: Stage) -> (Result<()>, Vec<Value>, usize) {
    let result = Clock::real().timeout(Duration::from_mins(1), stage.consumer).await.expect("it ends").unwrap();
    let bytes = stage.paper.0.lock().unwrap().clone();
    let receipts = String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (result, receipts, stage.queue.ledger(|ledger| ledger.waiting.len()))
}

#[tokio::test]
async fn once_takes_exactly_one_message_and_ends() {
    let stage = Stage::start(3, |_| {}, |settings| settings.once = true).await;
    let (result, receipts, waiting) = ended(stage).await;
    assert!(result.is_ok());
    assert_eq!((receipts.len(), waiting), (1, 2));
    assert_eq!((&receipts[0]["outcome"], &receipts[0]["message_id"]), (&json!("deleted"), &json!("m0")));
}

#[tokio::test]
async fn once_ends_well_where_nothing_waits_and_is_patient_with_the_queue() {
    let (result, receipts, _) = ended(Stage::start(0, |_| {}, |settings| settings.once = true).await).await;
    assert!(result.is_ok() && receipts.is_empty());
    let away = |ledger: &mut Ledger| {
        ledger.refusals.insert("ReceiveMessage".into(), (500, "InternalFailure", 4));
    };
    let (result, receipts, _) = ended(Stage::start(1, away, |settings| settings.once = true).await).await;
    assert!(result.is_ok() && receipts.len() == 1, "{receipts:?}");
}

#[tokio::test]
async fn a_message_whose_work_fails_goes_back_and_fails_the_job() {
    let fails = |settings: &mut Settings| {
        settings.once = true;
        settings.failure_rate = 1.0;
    };
    let (result, receipts, waiting) = ended(Stage::start(1, |_| {}, fails).await).await;
    assert!(matches!(result, Err(Error::Unsettled)), "{result:?}");
    assert_eq!((receipts[0]["outcome"].as_str(), waiting), (Some("failed"), 1));
}
