//! Jobs: made by the operator, as many at once as may be and no more, one for each message, and only so many kept.

use std::collections::{BTreeMap, BTreeSet};

use cluster::generated;

use crate::check::activity;
use crate::evidence::Evidence;
use crate::observation::JobCounts;
use crate::settings::Consumer;
use crate::verdict::{Evaluated, Finding, fail, inconclusive, not_applicable, pass};

fn latest_made(evidence: &Evidence) -> f64 {
    evidence.header.scaling.polling_seconds as f64 + evidence.header.thresholds.slack_seconds
}

pub(super) fn made_expected(evidence: &Evidence) -> String {
    let latest = latest_made(evidence);
    format!(
        "the operator decides with a reason to make Jobs, and the first is there within {latest:.0} s (polling interval and slack)"
    )
}

pub(super) fn made(evidence: &Evidence) -> Evaluated {
    let sending = activity::sending(evidence)?;
    let new = new_jobs(evidence)?;
    let Some(first) = evidence.jobs().find(|(_, jobs)| jobs.iter().any(|job| new.contains(job.name.as_str()))) else {
        return Ok(fail("no Job was made after sending"));
    };
    let delay = evidence.seconds(sending, first.0);
    let decision = evidence.decisions().find(|(time, decision)| {
        *time >= sending
            && evidence.is_about(&decision.namespace, &decision.name)
            && decision.jobs().is_some_and(|create| create > 0)
            && !decision.reason.is_empty()
    });
    let event = evidence.events().find(|(time, event)| {
        let name = event.object.strip_prefix("ScaledJob/");
        let is_ours = name.is_some_and(|name| evidence.header.workload.ends_with(&format!("/{name}")));
        *time >= sending && is_ours && event.reason == "KEDAJobsCreated"
    });
    let why = activity::why(evidence, decision, event).map_err(|seen| {
        fail(format!("a Job after {delay:.0} s, but none of {seen} decisions of the operator and no Event says why"))
    })?;
    let saw = format!("{} Jobs, the first {delay:.0} s after sending; {why}", new.len());
    Ok(if delay <= latest_made(evidence) { pass(saw) } else { fail(saw) })
}

/// Names of the Jobs that were first seen after sending. Without a read before it nobody knows which those are.
fn new_jobs(evidence: &Evidence) -> Result<BTreeSet<&str>, Finding> {
    let sending = activity::sending(evidence)?;
    let names = |is_before: bool| -> BTreeSet<&str> {
        let reads = evidence.jobs().filter(|(time, _)| (*time < sending) == is_before);
        reads.flat_map(|(_, jobs)| jobs.iter().map(|job| job.name.as_str())).collect()
    };
    if !evidence.jobs().any(|(time, _)| time < sending) {
        return Err(fail("the Jobs were never read before sending"));
    }
    Ok(names(false).difference(&names(true)).copied().collect())
}

pub(super) fn maximum_expected(evidence: &Evidence) -> String {
    format!("{} Jobs run at once", evidence.header.scaling.max_replicas)
}

pub(super) fn maximum(evidence: &Evidence) -> Evaluated {
    let sending = activity::sending(evidence)?;
    let max = evidence.header.scaling.max_replicas;
    let mut reads = evidence.deployments().filter(|(time, _)| *time >= sending);
    if let Some((time, _)) = reads.find(|(_, running)| running.desired >= max) {
        return Ok(pass(format!("{max} Jobs ran on {}", evidence.when(time))));
    }
    let reads: Vec<u32> =
        evidence.deployments().filter(|(time, _)| *time >= sending).map(|(_, running)| running.desired).collect();
    let most = reads.iter().max().map_or_else(|| "an unknown number".to_owned(), u32::to_string);
    Ok(fail(format!("at most {most} Jobs ran at once in {} reads", reads.len())))
}

pub(super) fn exceeds_expected(evidence: &Evidence) -> String {
    format!("no read shows more than {} Jobs that run", evidence.header.scaling.max_replicas)
}

pub(super) fn exceeds(evidence: &Evidence) -> Evaluated {
    let max = evidence.header.scaling.max_replicas;
    let reads: Vec<_> = evidence.deployments().map(|(time, running)| (time, running.desired)).collect();
    let most = reads.iter().map(|(_, running)| *running).max().ok_or_else(|| fail("the Jobs were never read"))?;
    Ok(match reads.iter().find(|(_, running)| *running > max) {
        Some((time, running)) => fail(format!("{running} Jobs ran on {}", evidence.when(*time))),
        None => pass(format!("at most {most} Jobs ran in {} reads", reads.len())),
    })
}

pub(super) fn own_expected(_: &Evidence) -> String {
    "the pod of each receipt `deleted` belongs to a Job that was made after sending, and no Job has two".to_owned()
}

pub(super) fn own(evidence: &Evidence) -> Evaluated {
    if evidence.header.consumer == Consumer::Own && evidence.receipts().next().is_none() {
        return Err(not_applicable(
            "only Sluice's own consumer writes receipts, by which a message is known to its Job",
        ));
    }
    let (_, ids) = evidence.sent().ok_or_else(|| inconclusive("nothing was sent"))?;
    let new = new_jobs(evidence)?;
    let mut by_job: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let deleted =
        evidence.receipts().filter(|(_, receipt)| receipt.outcome == "deleted" && ids.contains(&receipt.message_id));
    for (time, receipt) in deleted {
        let Some(job) = new.iter().copied().find(|job| generated::is_named_after(job, &receipt.pod)) else {
            let text = format!(
                "{} worked on {} on {}, and is of no Job that was made after sending",
                receipt.pod,
                receipt.message_id,
                evidence.when(time)
            );
            return Ok(fail(text));
        };
        by_job.entry(job).or_default().insert(&receipt.message_id);
    }
    if let Some((job, messages)) = by_job.iter().find(|(_, messages)| messages.len() > 1) {
        return Ok(fail(format!("Job {job} worked on {} messages", messages.len())));
    }
    let idle = new.len() - by_job.len();
    let spare = if idle > 0 { format!("; {idle} Jobs more worked on none of them") } else { String::new() };
    let saw = format!("{} messages in {} Jobs{spare}", ids.len(), by_job.len());
    Ok(if by_job.len() == ids.len() { pass(saw) } else { fail(saw) })
}

pub(super) fn trimmed_expected(evidence: &Evidence) -> String {
    match evidence.header.jobs {
        Some(history) => format!(
            "at the end at most {} Jobs that ended well are kept, and {} that failed",
            history.successful, history.failed
        ),
        None => "Jobs are kept".to_owned(),
    }
}

pub(super) fn trimmed(evidence: &Evidence) -> Evaluated {
    let new = new_jobs(evidence)?;
    let Some(history) = evidence.header.jobs else { return Ok(fail("how many Jobs are kept is unknown")) };
    let Some((last, jobs)) = evidence.jobs().next_back() else { return Ok(fail("the Jobs were never read")) };
    let JobCounts { running, complete, failed } = JobCounts::of(jobs);
    let saw = format!(
        "{complete} complete, {failed} failed and {running} running Jobs on {}; {} were made",
        evidence.when(last),
        new.len()
    );
    if complete > history.successful || failed > history.failed {
        return Ok(fail(saw));
    }
    // What is kept has to have been there.
    Ok(if new.is_empty() { fail(saw) } else { pass(saw) })
}

#[cfg(test)]
mod tests {
    use crate::check::{evaluate, overall};
    use crate::fixture::{ACTIVE, END, Run, SENT, receipt};
    use crate::observation::{Job, JobState, Observation, Pod, Source};
    use crate::verdict::{Outcome, Verdict};

    fn seen(jobs: &[(&str, JobState)]) -> Observation {
        let jobs = jobs.iter().map(|(name, state)| Job { name: (*name).to_owned(), state: *state }).collect();
        Observation::Jobs { jobs }
    }

    #[track_caller]
    fn assert_fails(run: Run, name: &str, says: &str) {
        let verdicts = evaluate(&run.evidence());
        let verdict = verdicts.iter().find(|verdict| verdict.name == name).unwrap();
        assert_eq!(verdict.outcome, Outcome::Fail, "{verdict:?}");
        assert!(verdict.saw.contains(says), "{}", verdict.saw);
    }

    #[test]
    fn a_good_run_passes_every_check() {
        let verdicts = evaluate(&Run::good_jobs().evidence());
        let bad: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Pass).collect();
        assert!(bad.is_empty(), "{bad:#?}");
    }

    #[test]
    fn a_run_that_saw_nothing_passes_no_check_and_one_without_an_observer_does_not_pass() {
        let verdicts = evaluate(&Run::good_jobs().without(|_| true).evidence());
        assert!(verdicts.iter().all(|verdict| verdict.outcome != Outcome::Pass), "{verdicts:#?}");
        for source in [
            Source::Queue,
            Source::Jobs,
            Source::ScaledJob,
            Source::Pods,
            Source::OperatorPods,
            Source::WorkerLog,
            Source::OperatorLog,
            Source::Scenario,
        ] {
            let verdicts = evaluate(&Run::good_jobs().without(|record| record.source == source).evidence());
            assert_ne!(overall(&verdicts), Outcome::Pass, "{source:?}");
        }
    }

    #[test]
    fn each_check_fails_on_what_it_is_for() {
        let running = |names: &[&str]| seen(&names.iter().map(|name| (*name, JobState::Running)).collect::<Vec<_>>());
        let idle = seen(&[]);
        assert_fails(Run::good_jobs().replacing(Source::Jobs, SENT, END + 9.0, &idle), "reaches-maximum", "at most 0");
        assert_fails(
            Run::good_jobs().replacing(Source::Jobs, SENT, END + 9.0, &idle),
            "jobs-made-by-operator",
            "no Job was made",
        );
        let undecided = Run::good_jobs().without(|record| record.source == Source::OperatorLog);
        assert_fails(undecided, "jobs-made-by-operator", "none of 0 decisions");
        let late = Run::good_jobs().replacing(Source::Jobs, SENT, SENT + 200.0, &idle).with(
            SENT + 200.0,
            Source::Jobs,
            running(&["myapp-late0"]),
        );
        assert_fails(late, "jobs-made-by-operator", "the first 2");
        let four = running(&["a", "b", "c", "d"]);
        assert_fails(Run::good_jobs().with(ACTIVE + 5.0, Source::Jobs, four), "never-exceeds-maximum", "4 Jobs ran");
        // A Job of another poll at the end: neither at zero, nor kept there.
        let again = Run::good_jobs().with(END + 1.0, Source::Jobs, running(&["myapp-again"]));
        assert_fails(again, "stays-at-zero", "never came back to 0");
        let kept = [JobState::Complete; 3].map(|state| ("myapp-job01", state));
        assert_fails(Run::good_jobs().with(END + 1.0, Source::Jobs, seen(&kept)), "history-trimmed", "3 complete");
        let failed = [JobState::Failed; 2].map(|state| ("myapp-job01", state));
        assert_fails(Run::good_jobs().with(END + 1.0, Source::Jobs, seen(&failed)), "history-trimmed", "2 failed");
    }

    #[test]
    fn a_message_that_shares_a_job_or_was_worked_on_by_none_is_seen() {
        let by = |pod: &str| {
            let Observation::Receipt(mut one) = receipt(9, 80.0, "deleted") else { panic!("no receipt") };
            pod.clone_into(&mut one.pod);
            Run::good_jobs()
                .without(|record| matches!(&record.observation, Observation::Receipt(it) if it.message_id == "m9"))
                .with(100.0, Source::WorkerLog, Observation::Receipt(one))
        };
        assert_fails(by("myapp-jbbbb-pqrst"), "one-job-a-message", "worked on 2 messages");
        assert_fails(by("myapp-5d4f8c7b96-x7k2p"), "one-job-a-message", "is of no Job");
        let twice = Run::good_jobs().with(101.0, Source::WorkerLog, receipt(9, 81.0, "deleted"));
        assert_fails(twice, "every-message-deleted-once", "more than once: m9");
    }

    #[test]
    fn a_pod_that_failed_is_a_failure_unless_it_gave_its_message_back() {
        let failed = |name: &str| {
            let pod = Pod {
                name: name.to_owned(),
                phase: "Failed".to_owned(),
                ready: false,
                restarts: 0,
                terminating: false,
                waiting: None,
            };
            Observation::Pods { pods: vec![pod] }
        };
        assert_fails(Run::good_jobs().with(END, Source::Pods, failed("myapp-jzzzz-pqrst")), "no-restarts", "Failed");
        let Observation::Receipt(mut back) = receipt(9, 80.0, "failed") else { panic!("no receipt") };
        "myapp-jzzzz-pqrst".clone_into(&mut back.pod);
        let run = Run::good_jobs().with(END, Source::Pods, failed("myapp-jzzzz-pqrst")).with(
            100.0,
            Source::WorkerLog,
            Observation::Receipt(back),
        );
        let verdicts = evaluate(&run.evidence());
        assert!(verdicts.iter().any(|it| it.name == "no-restarts" && it.outcome == Outcome::Pass), "{verdicts:#?}");
    }
}
