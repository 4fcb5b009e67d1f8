//! What a person sees, drawn without a terminal.

use clock::Clock;
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};
use verify::Scaling;

use super::*;
use crate::screen::seen::Seen;

const STEPS: &[&str] = &["idle", "send", "activate", "scale-out", "work", "zero", "hold"];

fn manner() -> Manner {
    Manner { coloured: false, keys: Keys::default(), overlay: None, paused: false }
}

fn drawn(model: &Model, manner: Manner, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(model, manner, frame)).unwrap();
    terminal.backend().to_string()
}

fn record(source: &str, kind: &str, payload: &Value) -> Seen {
    let record = json!({ "time": "1970-01-01T00:00:00Z", "source": source, "kind": kind, "payload": payload });
    Seen::Record { workload: "myapp".to_owned(), record: Box::new(serde_json::from_value(record).unwrap()) }
}

/// A verification in the middle of scaling in.
fn scaling_in() -> Model {
    let (clock, handle) = Clock::manual(Timestamp::UNIX_EPOCH);
    let mut model = Model::new("sluice demo · s · local", &clock, 1.0);
    model.see(Seen::Part { name: "2/3  Verify".to_owned(), usual: Some("usually 17s (3 runs)".to_owned()) });
    let scaling = Scaling {
        polling_seconds: 30,
        cooldown_seconds: 300,
        window_seconds: 300,
        min_replicas: 0,
        max_replicas: 3,
        queue_length: 3,
    };
    model.see(Seen::Workload { name: "myapp".to_owned(), has_queue: true, scaling, steps: STEPS });
    let step = json!({ "name": "idle", "state": "reached", "detail": "at zero", "deadline_seconds": 60.0 });
    model.see(record("story", "step", &step));
    model.see(record("queue", "queue", &json!({ "visible": 2, "in_flight": 1, "delayed": 0 })));
    model.see(record("deployment", "deployment", &json!({ "desired": 3, "current": 2, "ready": 1 })));
    let condition = json!({ "type": "AbleToScale", "status": "True", "reason": "ScaleDownStabilized" });
    let hpa = json!({ "desired": 3, "current": 3, "min": 1, "max": 3, "metrics": { "s0": "667m" }, "conditions": [condition] });
    model.see(record("hpa", "hpa", &hpa));
    let decision = json!({ "namespace": "n", "name": "myapp", "from": 3, "to": 3, "reason": "r",
        "decision": { "action": { "remaining": 290.0 } } });
    model.see(record("operator-log", "decision", &decision));
    model.see(Seen::Decision {
        workload: "myapp".to_owned(),
        time: Timestamp::UNIX_EPOCH,
        line: "operator keeps 3: cooldown, 290 s left".to_owned(),
        whole: vec![
            "no trigger is active; cooldown holds 3 replicas for another 290 s, and that is said to the end".to_owned(),
        ],
    });
    handle.advance(std::time::Duration::from_mins(1));
    model
}

#[test]
fn both_clocks_count_down_and_a_replica_is_a_block_in_any_size() {
    for (columns, rows) in [(80, 24), (140, 40)] {
        let text = drawn(&scaling_in(), manner(), columns, rows);
        for part in [
            "cooldown 230 s left · window 240 s left",
            "█ ▒ ░ 3 wanted, 1 starting, 1 ready",
            "2 waiting, 1 in work",
            "wants 3 of 1 to 3",
            "operator keeps 3",
            "1 of 7 · 1m00s, usually 17s (3 runs)",
            "q quit",
        ] {
            assert!(text.contains(part), "{columns}x{rows} lacks {part:?}:\n{text}");
        }
    }
}

#[test]
fn what_was_not_seen_is_a_question_mark_and_no_zero() {
    let (clock, _handle) = Clock::manual(Timestamp::UNIX_EPOCH);
    let mut model = Model::new("sluice watch", &clock, 1.0);
    let scaling =
        serde_json::from_value(json!({ "polling_seconds": 30, "cooldown_seconds": 300, "window_seconds": 300,
        "min_replicas": 0, "max_replicas": 3, "queue_length": 3 }));
    model.see(Seen::Workload { name: "myapp".to_owned(), has_queue: true, scaling: scaling.unwrap(), steps: &[] });
    let text = drawn(&model, manner(), 80, 24);
    for row in ["Queue     ?", "Replicas  ?", "HPA       ?", "Pods      ?"] {
        assert!(text.contains(row), "{row:?}:\n{text}");
    }
}

#[test]
fn only_a_part_that_did_all_it_had_to_do_is_ticked() {
    let mut model = scaling_in();
    let next = || Seen::Part { name: "3/3  Down".to_owned(), usual: None };
    model.see(next());
    let text = drawn(&model, manner(), 80, 24);
    assert!(text.contains("– 2/3  Verify 1 of 7") && text.contains("not finished"), "{text}");
    let mut model = scaling_in();
    model.see(Seen::PartDone);
    model.see(next());
    let text = drawn(&model, manner(), 80, 24);
    assert!(text.contains("✓ 2/3  Verify 1 of 7") && !text.contains("not finished"), "{text}");
}

#[test]
fn a_workload_without_a_queue_has_no_row_of_one_and_no_key_that_sends() {
    let (clock, _handle) = Clock::manual(Timestamp::UNIX_EPOCH);
    let mut model = Model::new("sluice watch", &clock, 1.0);
    let Some(workload) = scaling_in().workload().cloned() else { panic!("one is shown") };
    model.see(Seen::Workload { name: "myapp".to_owned(), has_queue: false, scaling: workload.scaling, steps: &[] });
    model.see(record("deployment", "deployment", &json!({ "desired": 3, "current": 2, "ready": 1 })));
    let text = drawn(&model, manner(), 80, 24);
    assert!(!text.to_lowercase().contains("queue") && text.contains("█ ▒ ░ 3 wanted"), "{text}");
    assert!(!model.has_queue() && scaling_in().has_queue());
}

#[test]
fn a_terminal_without_room_says_so() {
    let text = drawn(&scaling_in(), manner(), 40, 10);
    assert!(text.contains("goes on"), "{text}");
}

#[test]
fn a_decision_is_explained_with_all_its_reasons() {
    let text = drawn(&scaling_in(), Manner { overlay: Some(Overlay::Explain), ..manner() }, 80, 24);
    assert!(text.contains("no trigger is active") && text.contains("to the end"), "{text}");
}
