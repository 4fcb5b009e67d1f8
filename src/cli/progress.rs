//! What a run of the engine does, as it happens: lines for a person in real time, objects of the stream for a program.
//!
//! A step that lasts says so every ten seconds of real time (see [`crate::waiting`]), with the reason that was given last; so
//! does a read. The stack's own time stands beside it where the two differ, and what the step usually takes (see
//! [`crate::durations`]).

use std::collections::BTreeMap;
use std::time::Duration;

use clock::{Clock, Moment};
use provision::{Action, Address, Event, Plan};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::durations::{Durations, Usual};
use crate::screen::Seen;
use crate::spelled::spelled;
use crate::view::{Tone, View, Weight};
use crate::waiting::{self, Due, LOOK};

/// One line for a person.
type Line = (Weight, Tone, String);

/// A run of the engine whose steps are shown.
#[derive(Debug)]
pub(crate) struct Run {
    /// How many steps there will be; 0 for what only looks.
    pub(crate) steps: usize,
    /// What they took before.
    pub(crate) durations: Durations,
    /// The stack's time.
    pub(crate) clock: Clock,
}

/// Shows events until their senders are dropped; then what steps took is remembered.
pub(crate) async fn show(view: View, run: Run, mut events: mpsc::UnboundedReceiver<Event>) {
    let clock = Clock::real();
    view.see(|| Seen::Run { steps: run.steps });
    let mut steps = Steps::new(clock.clone(), run);
    loop {
        let event = tokio::select! {
            event = events.recv() => match event {
                Some(event) => Some(event),
                None => return steps.durations.save(),
            },
            () = clock.sleep(LOOK) => None,
        };
        let lines = steps.turn(event.as_ref());
        if let Some(event) = &event {
            view.see(|| Seen::Step { event: Box::new(event.clone()), usual: steps.usual_of(event) });
        }
        if let Some((kind, body)) = event.as_ref().and_then(|event| steps.object(event)) {
            view.event(&kind, body);
        }
        for (weight, tone, line) in lines {
            view.say(weight, tone, line);
        }
    }
}

/// How many steps a plan has; a replacement is two.
pub(crate) fn count(plan: &Plan) -> usize {
    let steps = |action| match action {
        Action::Create | Action::Update | Action::Delete => 1,
        Action::Replace => 2,
        Action::NoOp | Action::Forget | Action::Keep => 0,
    };
    plan.changes.iter().map(|change| steps(change.action)).sum()
}

/// A step that runs.
struct Step {
    /// What it does, as a line says it.
    verb: &'static str,
    due: Due,
    /// What it waits for, as it said last.
    status: String,
    /// How long it usually lasts.
    usual: Option<Usual>,
}

/// The steps of a run, seen from outside.
struct Steps {
    clock: Clock,
    begun: Moment,
    of: usize,
    done: usize,
    running: BTreeMap<Address, Step>,
    /// How long the last one that ended took, in real time.
    took: Duration,
    durations: Durations,
    /// The stack's time.
    system: Clock,
}

impl Steps {
    /// `clock` is real time, or a test's.
    fn new(clock: Clock, run: Run) -> Self {
        let Run { steps, durations, clock: system } = run;
        let begun = clock.moment();
        Self { clock, begun, of: steps, done: 0, running: BTreeMap::new(), took: Duration::ZERO, durations, system }
    }

    /// How long the step that begins usually takes, in real time.
    fn usual_of(&self, event: &Event) -> Option<String> {
        let Event::ApplyStart { address, .. } = event else { return None };
        let usual = self.running.get(address)?.usual?;
        Some(usual.spelled(|system| self.system.to_real(system)))
    }

    /// The event as an object of the stream, with what only the onlooker knows.
    fn object(&self, event: &Event) -> Option<(String, Value)> {
        let Ok(Value::Object(mut body)) = serde_json::to_value(event) else { return None };
        let kind = body.remove("type")?.as_str()?.to_owned();
        if let Event::Complete { .. } | Event::Errored { .. } | Event::LeftToContainer { .. } = event {
            body.insert("real_seconds".to_owned(), json!(self.took.as_secs_f64()));
            body.insert("steps_done".to_owned(), json!(self.done));
            body.insert("steps".to_owned(), json!(self.of));
        }
        if let Event::Progress { address, .. } = event
            && let Some(step) = self.running.get(address)
        {
            body.insert("real_seconds".to_owned(), json!(step.due.elapsed().as_secs_f64()));
            body.extend(step.usual.map(|usual| ("usual".to_owned(), usual.object())));
        }
        Some((kind, body.into()))
    }

    /// What there is to say of an event, if there is one, and of what lasts: also among events, which may come more often than
    /// it is looked whether a line is due.
    fn turn(&mut self, event: Option<&Event>) -> Vec<Line> {
        let mut lines = event.map(|event| self.take(event)).unwrap_or_default();
        lines.extend(self.due());
        lines
    }

    /// Takes an event in; what there is to say at once.
    fn take(&mut self, event: &Event) -> Vec<Line> {
        match event {
            Event::ApplyStart { address, action } => {
                let verb = match action {
                    Action::Create => "Still creating",
                    Action::Delete => "Still destroying",
                    Action::Update | Action::Replace | Action::NoOp | Action::Forget | Action::Keep => "Still changing",
                };
                self.begin(address, verb, self.durations.usual(address, *action))
            }
            Event::RefreshStart { address } => self.begin(address, "Still reading", None),
            Event::RefreshComplete { address, .. } => {
                self.running.remove(address);
                Vec::new()
            }
            Event::Progress { address, status, .. } => {
                if let Some(step) = self.running.get_mut(address) {
                    status.clone_into(&mut step.status);
                }
                Vec::new()
            }
            Event::Note { address, text } => vec![(Weight::Usual, Tone::Change, format!("{address}: {text}"))],
            Event::Complete { address, action, elapsed, id } => {
                self.done += 1;
                self.durations.add(address, *action, *elapsed);
                let time = self.ended(address, *elapsed);
                let id = id.as_ref().map(|id| format!(" [id={id}]")).unwrap_or_default();
                let line = format!("{address}: {} after {time}{id}{}", done(*action), self.tally());
                let mut lines = vec![(Weight::Minor, Tone::Plain, line)];
                lines.extend(self.gist(address));
                lines
            }
            Event::Errored { address, elapsed, error, evidence, .. } => {
                let time = self.ended(address, *elapsed);
                let mut lines = vec![(Weight::Usual, Tone::Bad, format!("{address}: failed after {time}: {error}"))];
                lines.extend(evidence.iter().map(|seen| (Weight::Usual, Tone::Dim, format!("    {seen}"))));
                lines
            }
            Event::LeftToContainer { address, container, elapsed, error } => {
                let time = self.ended(address, *elapsed);
                let text =
                    format!("{address}: not destroyed by itself after {time}, it goes with {container}: {error}");
                vec![(Weight::Usual, Tone::Change, text)]
            }
            Event::Skipped { address, because, .. } => {
                vec![(Weight::Minor, Tone::Dim, format!("{address}: not tried, {because}"))]
            }
        }
    }

    fn begin(&mut self, address: &Address, verb: &'static str, usual: Option<Usual>) -> Vec<Line> {
        let step = Step { verb, due: Due::new(&self.clock), status: String::new(), usual };
        self.running.insert(address.clone(), step);
        Vec::new()
    }

    /// What is due to be said of the steps that last.
    fn due(&mut self) -> Vec<Line> {
        let tally = self.tally();
        let mut lines = Vec::new();
        for (address, step) in &mut self.running {
            let Some(elapsed) = step.due.take() else { continue };
            // The engine repeats the reason with its own words before it.
            let reason = ["still creating", "still destroying", "still modifying"]
                .iter()
                .find_map(|own| step.status.strip_prefix(own))
                .map_or(step.status.as_str(), |rest| rest.trim_start_matches(": "));
            let usual = step.usual.map(|usual| usual.spelled(|system| self.system.to_real(system)));
            let line = waiting::line(&format!("{address}: {}", step.verb), elapsed, usual.as_deref(), reason);
            lines.push((waiting::weight(elapsed), Tone::Dim, format!("{line}{tally}")));
        }
        lines
    }

    /// A step has ended: how long it took, in words.
    fn ended(&mut self, address: &Address, system: Duration) -> String {
        let real = self.running.remove(address).map(|step| step.due.elapsed());
        self.took = real.unwrap_or_default();
        let real = spelled(self.took);
        // Rounding alone makes seconds differ.
        let differs = system >= Duration::from_secs(10) && system.as_secs() > self.took.as_secs() + 1;
        if differs { format!("{real} ({} of the stack's time)", spelled(system)) } else { real }
    }

    /// A line that stands for those of several steps: with the last one, and each time that another sixth of all is done.
    fn gist(&self, last: &Address) -> Option<Line> {
        let sixth = |done: usize| done * 6 / self.of.max(1);
        if self.of == 0 || sixth(self.done) == sixth(self.done.saturating_sub(1)) {
            return None;
        }
        let time = spelled(self.clock.elapsed(self.begun));
        let text = format!("{} of {} done after {time}, the last {last}", self.done, self.of);
        Some((Weight::Gist, Tone::Plain, text))
    }

    fn tally(&self) -> String {
        if self.of == 0 { String::new() } else { format!(" ({} of {} done)", self.done, self.of) }
    }
}

fn done(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "changed",
        Action::Replace => "replaced",
        Action::Delete => "destroyed",
        Action::NoOp | Action::Forget | Action::Keep => "unchanged",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        "kubernetes_deployment.shop/orders".parse().unwrap()
    }

    fn run(steps: usize) -> Run {
        Run { steps, durations: Durations::default(), clock: Clock::real() }
    }

    fn texts(lines: Vec<Line>) -> Vec<String> {
        let shown = lines.into_iter().filter(|(weight, ..)| *weight != Weight::Gist);
        shown.map(|(_, _, text)| text).collect()
    }

    fn progress(status: &str) -> Event {
        Event::Progress { address: address(), elapsed: Duration::from_secs(1), status: status.to_owned() }
    }

    #[test]
    fn a_step_that_lasts_says_so_every_ten_seconds_with_its_last_reason() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut steps = Steps::new(clock, run(3));
        assert!(steps.take(&Event::ApplyStart { address: address(), action: Action::Create }).is_empty());
        steps.take(&progress("0 of 1 pods available"));
        let mut said = Vec::new();
        for second in 1..=35 {
            handle.advance(Duration::from_secs(1));
            if second == 15 {
                assert!(steps.take(&progress("orders-1: ImagePullBackOff")).is_empty());
                // The engine's own tick says the same again.
                steps.take(&progress("still creating: orders-1: ImagePullBackOff"));
            }
            said.extend(texts(steps.due()));
        }
        assert_eq!(
            said,
            [
                "kubernetes_deployment.shop/orders: Still creating... [10s elapsed, usually 1m00s to 2m00s on AWS] 0 of 1 pods available (0 of 3 done)",
                "kubernetes_deployment.shop/orders: Still creating... [20s elapsed, usually 1m00s to 2m00s on AWS] orders-1: ImagePullBackOff (0 of 3 done)",
                "kubernetes_deployment.shop/orders: Still creating... [30s elapsed, usually 1m00s to 2m00s on AWS] orders-1: ImagePullBackOff (0 of 3 done)",
            ]
        );
    }

    #[test]
    fn a_step_that_was_done_before_says_what_it_took_in_the_time_of_who_waits() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut steps = Steps::new(clock, Run { clock: Clock::scaled(30.0), ..run(1) });
        let ended =
            Event::Complete { address: address(), action: Action::Create, elapsed: Duration::from_mins(9), id: None };
        steps.take(&ended);
        steps.take(&Event::ApplyStart { address: address(), action: Action::Create });
        steps.take(&progress("CREATING"));
        handle.advance(Duration::from_secs(10));
        let said = texts(steps.due());
        assert!(said[0].contains("... [10s elapsed, 18s the last time] CREATING"), "{said:?}");
        let usual = &steps.object(&progress("CREATING")).unwrap().1["usual"];
        assert_eq!(*usual, json!({ "shortest_seconds": 540.0, "longest_seconds": 540.0, "runs": 1 }));
    }

    #[test]
    fn a_step_that_reports_more_often_than_a_line_is_due_still_says_what_it_waits_for() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut steps = Steps::new(clock, run(1));
        steps.take(&Event::ApplyStart { address: address(), action: Action::Delete });
        let mut said = Vec::new();
        for _ in 0..75 {
            handle.advance(Duration::from_millis(333));
            said.extend(texts(steps.turn(Some(&progress("still destroying: its pods are ending")))));
        }
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[1].contains("[20s elapsed] its pods are ending"), "{said:?}");
    }

    #[test]
    fn a_read_that_lasts_says_so_and_one_that_ended_does_not() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut steps = Steps::new(clock, run(0));
        steps.take(&Event::RefreshStart { address: address() });
        handle.advance(Duration::from_secs(11));
        assert_eq!(texts(steps.due()), ["kubernetes_deployment.shop/orders: Still reading... [11s elapsed]"]);
        steps.take(&Event::RefreshComplete { address: address(), found: true });
        handle.advance(Duration::from_secs(20));
        assert!(steps.due().is_empty());
    }

    #[test]
    fn a_duration_is_real_time_and_the_stacks_time_stands_beside_it_where_it_differs() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut steps = Steps::new(clock, run(2));
        let ended = |elapsed| Event::Complete {
            address: address(),
            action: Action::Delete,
            elapsed: Duration::from_secs(elapsed),
            id: None,
        };
        steps.take(&Event::ApplyStart { address: address(), action: Action::Delete });
        handle.advance(Duration::from_secs(3));
        let said = texts(steps.take(&ended(90)));
        assert_eq!(
            said,
            ["kubernetes_deployment.shop/orders: destroyed after 3s (1m30s of the stack's time) (1 of 2 done)"]
        );
        assert_eq!(steps.object(&ended(90)).unwrap().1["real_seconds"], 3.0);
        steps.take(&Event::ApplyStart { address: address(), action: Action::Delete });
        handle.advance(Duration::from_secs(3));
        assert_eq!(
            texts(steps.take(&ended(3))),
            ["kubernetes_deployment.shop/orders: destroyed after 3s (2 of 2 done)"]
        );
    }

    #[test]
    fn where_a_view_is_brief_six_lines_stand_for_any_number_of_steps() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        for steps_in_all in [1, 4, 35, 600] {
            let mut steps = Steps::new(clock.clone(), run(steps_in_all));
            let mut gists = Vec::new();
            for _ in 0..steps_in_all {
                handle.advance(Duration::from_secs(1));
                let ended =
                    Event::Complete { address: address(), action: Action::Create, elapsed: Duration::ZERO, id: None };
                steps.take(&Event::ApplyStart { address: address(), action: Action::Create });
                gists.extend(steps.take(&ended).into_iter().filter(|(weight, ..)| *weight == Weight::Gist));
            }
            assert_eq!(gists.len(), steps_in_all.min(6), "{gists:?}");
            let (_, _, last) = gists.last().unwrap();
            assert!(last.starts_with(&format!("{steps_in_all} of {steps_in_all} done after ")), "{last}");
        }
    }

    #[test]
    fn a_failure_shows_what_was_seen_and_the_stream_carries_it() {
        let (clock, _handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut steps = Steps::new(clock, run(1));
        let failed = Event::Errored {
            address: address(),
            action: Action::Create,
            elapsed: Duration::ZERO,
            error: "it did not come".to_owned(),
            evidence: vec!["last Warning of Pod orders-1: Failed: no image".to_owned()],
            next: Some("look further".to_owned()),
        };
        let said = texts(steps.take(&failed));
        assert_eq!(said[1], "    last Warning of Pod orders-1: Failed: no image");
        let (kind, body) = steps.object(&failed).unwrap();
        assert_eq!((kind.as_str(), body["next"].as_str()), ("errored", Some("look further")));
        assert_eq!(body["evidence"][0], "last Warning of Pod orders-1: Failed: no image");
    }
}
