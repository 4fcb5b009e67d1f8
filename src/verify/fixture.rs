//! Evidence for tests: one good run of the scenario `tutorial`, and ways to spoil it.

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

use crate::evidence::{Chain, Evidence, FORMAT, Header, VERSION};
use crate::observation::{
    Condition, Counts, Decision, Hpa, Job, JobState, KubernetesEvent, Observation, Pod, Receipt, Record, Replicas,
    ScaledObject, Source, Step, StepState,
};
use crate::settings::{Consumer, History, Scaling, Thresholds};

const SCALE: f64 = 10.0;

/// A timestamp `system` seconds into the run.
pub(crate) fn at(system: f64) -> Timestamp {
    let start: Timestamp = "2026-11-24T04:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs_f64(system / SCALE)
}

pub(crate) fn record(system: f64, source: Source, observation: Observation) -> Record {
    Record { time: at(system), source, observation }
}

pub(crate) fn queue(visible: u64, in_flight: u64) -> Observation {
    Observation::Queue(Counts { visible, in_flight, delayed: 0 })
}

pub(crate) fn deployment(desired: u32) -> Observation {
    Observation::Deployment(Replicas { desired, current: desired, ready: desired })
}

pub(crate) fn hpa(desired: u32, value: Option<&str>) -> Observation {
    let metrics = value.map(|value| ("s0-aws-sqs-myapp".to_owned(), value.to_owned()));
    Observation::Hpa(Hpa {
        desired: Some(desired),
        current: Some(desired),
        min: Some(1),
        max: Some(3),
        metrics: metrics.into_iter().collect(),
        conditions: Vec::new(),
    })
}

pub(crate) fn scaled_object(ready: &str, active: &str, message: &str) -> Observation {
    let condition = |kind: &str, status: &str| Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: "Reason".to_owned(),
        message: message.to_owned(),
    };
    let conditions = vec![condition("Ready", ready), condition("Active", active)];
    Observation::ScaledObject(ScaledObject { conditions, last_active: None, metric_names: Vec::new() })
}

pub(crate) fn pods(names: &[String], restarts: u32) -> Observation {
    let pod = |name: &String| Pod {
        name: name.clone(),
        phase: "Running".to_owned(),
        ready: true,
        restarts,
        terminating: false,
        waiting: None,
    };
    Observation::Pods { pods: names.iter().map(pod).collect() }
}

pub(crate) fn step(name: &str, state: StepState) -> Observation {
    Observation::Step(Step { name: name.to_owned(), state, detail: "detail".to_owned(), deadline_seconds: 60.0 })
}

pub(crate) fn receipt(message: usize, started: f64, outcome: &str) -> Observation {
    Observation::Receipt(Receipt {
        outcome: outcome.to_owned(),
        message_id: format!("m{message}"),
        receive_count: 1,
        started_at: at(started),
        finished_at: at(started + 20.0),
        pod: "myapp-0".to_owned(),
    })
}

/// A run that can be spoiled.
pub(crate) struct Run {
    header: Header,
    pub(crate) records: Vec<Record>,
}

/// When messages are sent, in system seconds.
pub(crate) const SENT: f64 = 20.0;
/// When the operator activates.
pub(crate) const ACTIVE: f64 = 32.0;
/// When the queue is empty.
pub(crate) const EMPTY: f64 = 110.0;
/// When the HPA takes the first replica away.
pub(crate) const STEP_DOWN: f64 = 380.0;
/// When the operator deactivates.
pub(crate) const ZERO: f64 = 420.0;
/// When the scenario ends.
pub(crate) const END: f64 = 530.0;

/// The replicas decided at this moment of the good run.
fn replicas(system: f64) -> u32 {
    match system {
        s if s < ACTIVE => 0,
        s if s < 45.0 => 1,
        s if s < STEP_DOWN => 3,
        s if s < ZERO => 2,
        _ => 0,
    }
}

/// Messages in the queue at this moment.
fn messages(system: f64) -> u64 {
    match system {
        s if (SENT..60.0).contains(&s) => 9,
        s if (60.0..EMPTY).contains(&s) => 3,
        _ => 0,
    }
}

/// The name of a Job, 1 to 9.
fn job_name(number: u8) -> String {
    format!("myapp-jbbb{}", char::from(b"bcdfghjkl"[usize::from(number - 1)]))
}

/// The Jobs at this moment of the good run: three at a time, for twenty seconds each; two of those that ended are kept.
fn jobs(system: f64) -> Vec<Job> {
    let mut jobs: Vec<Job> = (1..=9)
        .filter_map(|number| {
            let begun = ACTIVE + 20.0 * f64::from((number - 1) / 3);
            let state = match system {
                s if s < begun => return None,
                s if s < begun + 20.0 => JobState::Running,
                _ => JobState::Complete,
            };
            Some(Job { name: job_name(number), state })
        })
        .collect();
    let complete = jobs.iter().filter(|job| job.state == JobState::Complete).count();
    jobs.drain(..complete.saturating_sub(2));
    jobs
}

impl Run {
    /// 0 -> 3 -> 0 as the tutorial has it, at ten times real speed.
    pub(crate) fn good() -> Self {
        let mut records = Vec::new();
        let mut system = 0.0;
        while system <= END {
            // Half a second after the round time, so that no read coincides with a step.
            let now = system + 0.5;
            let count = replicas(now);
            let names: Vec<_> = (0..count).map(|index| format!("myapp-{index}")).collect();
            let active = if (ACTIVE..EMPTY).contains(&now) { "True" } else { "False" };
            let value = (ACTIVE..ZERO).contains(&now).then_some("3");
            records.push(record(now, Source::Queue, queue(messages(now), 0)));
            records.push(record(now, Source::Deployment, deployment(count)));
            records.push(record(now, Source::Hpa, hpa(count.max(1), value)));
            records.push(record(now, Source::Pods, pods(&names, 0)));
            records.push(record(now, Source::OperatorPods, pods(&["keda-operator-0".to_owned()], 0)));
            records.push(record(now, Source::ScaledObject, scaled_object("True", active, "fine")));
            system += 5.0;
        }
        let steps = [("idle", 0.0, 19.0), ("send", 19.5, SENT), ("activate", 20.1, ACTIVE), ("scale-out", 32.1, 50.0)];
        let more = [("work", 50.1, 125.0), ("zero", 125.1, ZERO), ("hold", ZERO + 0.1, END)];
        for (name, begun, ended) in steps.into_iter().chain(more) {
            records.push(record(begun, Source::Scenario, step(name, StepState::Started)));
            records.push(record(ended, Source::Scenario, step(name, StepState::Reached)));
        }
        let message_ids = (1..=9).map(|number| format!("m{number}")).collect();
        records.push(record(SENT, Source::Scenario, Observation::Sent { message_ids }));
        for message in 1..=9 {
            let started = 40.0 + 20.0 * f64::from(message as u8 % 3);
            records.push(record(started + 20.0, Source::WorkerLog, receipt(message, started, "deleted")));
        }
        records.push(record(ACTIVE - 0.5, Source::OperatorLog, Self::decision(0, 1, "9 messages are more than 0")));
        records.push(record(ZERO - 0.5, Source::OperatorLog, Self::decision(2, 0, "cooldown of 300 s is over")));
        Self { header: Self::header(), records }
    }

    pub(crate) fn decision(from: i64, to: i64, reason: &str) -> Observation {
        Observation::Decision(Decision {
            namespace: "myproject".to_owned(),
            name: "myapp".to_owned(),
            from: Some(from),
            to: Some(to),
            reason: reason.to_owned(),
            decision: serde_json::Value::Null,
        })
    }

    /// The same messages worked on by Jobs, at most three at once and two of them kept.
    pub(crate) fn good_jobs() -> Self {
        let mut run = Self::good();
        run.header.scenario = "jobs".to_owned();
        run.header.scaling = Scaling { queue_length: 1, cooldown_seconds: 0, window_seconds: 0, ..run.header.scaling };
        run.header.jobs = Some(History { successful: 2, failed: 1 });
        run.records.retain(|record| record.source != Source::Hpa && record.source != Source::OperatorLog);
        for record in &mut run.records {
            let system = record.time.duration_since(at(0.0)).as_secs_f64() * SCALE;
            match record.source {
                Source::Deployment => {
                    (record.source, record.observation) = (Source::Jobs, Observation::Jobs { jobs: jobs(system) });
                }
                Source::ScaledObject => record.source = Source::ScaledJob,
                Source::Pods => {
                    let live = jobs(system).into_iter().filter(|job| job.state == JobState::Running);
                    record.observation = pods(&live.map(|job| format!("{}-pqrst", job.name)).collect::<Vec<_>>(), 0);
                }
                _ => {}
            }
            if let Observation::Receipt(receipt) = &mut record.observation {
                receipt.pod =
                    format!("{}-pqrst", job_name(receipt.message_id.trim_start_matches('m').parse().unwrap()));
            }
        }
        let made = Decision {
            namespace: "myproject".to_owned(),
            name: "myapp".to_owned(),
            from: Some(0),
            to: Some(3),
            reason: "default: 3 - 0 running; 3 Jobs are made".to_owned(),
            decision: serde_json::json!({ "create": 3 }),
        };
        run.with(ACTIVE - 0.5, Source::OperatorLog, Observation::Decision(made))
    }

    pub(crate) fn warning(reason: &str, message: &str) -> Observation {
        Observation::Event(KubernetesEvent {
            kind: "Warning".to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            object: "ScaledObject/myapp".to_owned(),
            count: 1,
            at: None,
        })
    }

    fn header() -> Header {
        Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            product: "0.1.0".to_owned(),
            run: "run".to_owned(),
            scenario: "tutorial".to_owned(),
            stack: "demo".to_owned(),
            started: at(0.0),
            time_scale: SCALE,
            seed: Some(7),
            messages: 9,
            workload: "myproject/myapp".to_owned(),
            consumer: Consumer::Sample,
            retention_seconds: Some(345_600),
            has_dead_letter_queue: false,
            scaling: Scaling {
                polling_seconds: 30,
                cooldown_seconds: 300,
                window_seconds: 300,
                min_replicas: 0,
                max_replicas: 3,
                queue_length: 3,
            },
            course: None,
            jobs: None,
            thresholds: Thresholds::new(SCALE, 5.0, 30),
            environment: IndexMap::from([("target".to_owned(), "local".to_owned())]),
            limits: vec!["no real AWS was asked".to_owned()],
        }
    }

    /// The same run under settings with these periods.
    pub(crate) fn with_periods(mut self, cooldown_seconds: u64, window_seconds: u64) -> Self {
        self.header.scaling.cooldown_seconds = cooldown_seconds;
        self.header.scaling.window_seconds = window_seconds;
        self
    }

    /// The same run of another program, which writes no receipts.
    pub(crate) fn of_an_own_consumer(mut self) -> Self {
        self.header.consumer = Consumer::Own;
        self.without(|record| matches!(record.observation, Observation::Receipt(_)))
    }

    /// The same with another header.
    pub(crate) fn heading(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.header);
        self
    }

    /// Adds an observation.
    pub(crate) fn with(mut self, system: f64, source: Source, observation: Observation) -> Self {
        self.records.push(record(system, source, observation));
        self
    }

    /// Leaves out records.
    pub(crate) fn without(mut self, leave_out: impl Fn(&Record) -> bool) -> Self {
        self.records.retain(|record| !leave_out(record));
        self
    }

    /// Changes the observations of one source from one moment on and before another.
    pub(crate) fn replacing(mut self, source: Source, from: f64, to: f64, observation: &Observation) -> Self {
        for record in &mut self.records {
            if record.source == source && record.time >= at(from) && record.time < at(to) {
                record.observation = observation.clone();
            }
        }
        self
    }

    pub(crate) fn evidence(self) -> Evidence {
        Evidence::new(self.header, self.records)
    }
}

impl Evidence {
    /// As a run writes it.
    pub(crate) fn text(&self) -> String {
        let mut chain = Chain::default();
        let records = self.records.iter().map(|record| serde_json::to_string(record).unwrap());
        let lines = std::iter::once(serde_json::to_string(&self.header).unwrap()).chain(records);
        lines.map(|line| chain.seal(&line) + "\n").collect()
    }
}
