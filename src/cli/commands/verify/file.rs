//! Scenarios of a user's own: files that `verify` and `demo` take in place of a name.

use std::path::{Path, PathBuf};

use stack::Workload;
use tokio_util::sync::CancellationToken;
use verify::{Consumer, Course, FaultKind, Part, Player, Read, Report};
use yaml::Problem;

use super::{After, interrupted, live, show, subject};
use crate::diagnostic::{Diagnostic, Outcome, one};
use crate::exit::Exit;
use crate::pace;
use crate::screen::Seen;
use crate::settings::Settings;
use crate::target::{self, Target};
use crate::view::View;
use crate::{waiting, workloads};

/// Whether a word of the command line is a file, and no scenario's name.
pub(super) fn is_meant(word: &str) -> bool {
    let ending = Path::new(word).extension();
    word.contains('/') || ending.is_some_and(|ending| ending == "yaml" || ending == "yml")
}

/// Reads a file, and refuses what this stack or target cannot play, all of it with its place.
pub(super) fn read(name: &str, settings: &Settings) -> Outcome<Read> {
    let text = std::fs::read_to_string(name).map_err(|error| {
        let text = format!("failed to read the scenario file {name}: {error}");
        let help = "give the path of a scenario file, seen from the current folder; docs/scenario-file.md has its keys";
        vec![Diagnostic::error(text).help(help).exit(Exit::Usage)]
    })?;
    let refused = |problems: &[Problem]| -> Vec<Diagnostic> {
        problems.iter().map(|problem| Diagnostic::of_problem(problem, Diagnostic::error)).collect()
    };
    let read = verify::read(name, &text).map_err(|problems| refused(&problems.0))?;
    let mut problems = Vec::new();
    for (index, part) in read.course.parts.iter().enumerate() {
        match workloads::one(&settings.stack, part.workload.as_ref()) {
            Err(wrong) => {
                let wrong = wrong.into_iter().next().unwrap_or_else(|| Diagnostic::error("no such workload"));
                problems.push(read.problem(
                    &format!("workloads[{index}].name"),
                    wrong.summary,
                    wrong.help.unwrap_or_default(),
                ));
            }
            Ok(workload) => problems.extend(unplayable(&read, index, part, workload)),
        }
    }
    problems.extend(faults(&read, settings));
    if problems.is_empty() { Ok(read) } else { Err(refused(&problems)) }
}

/// What cannot be played on the workload.
fn unplayable(read: &Read, index: usize, part: &Part, workload: &Workload) -> Vec<Problem> {
    let name = &workload.name;
    let mut problems = Vec::new();
    let mut add = |key: &str, cause: String, next: &str| {
        problems.push(read.problem(&format!("workloads[{index}]{key}"), cause, next.to_owned()));
    };
    if let Some(why) = workloads::no_load(workload) {
        add("", format!("no scenario can put load on {name}: {why}"), "name a workload that its own queue wakes");
    } else if workload.job.is_some() {
        add("", format!("{name} runs Jobs, and the bounds are about replicas"), "verify it with the scenario `jobs`");
    } else if workload.scaling.min_replicas > 0 {
        let cause = format!(
            "a scenario begins and ends at 0 replicas, and {name} has at least {}",
            workload.scaling.min_replicas
        );
        add("", cause, "set its minReplicaCount to 0");
    }
    if workload.consumer == stack::Consumer::Own {
        let own =
            |what: &str| format!("{what}, which only Sluice's own consumer does, and {name} runs another program");
        if part.bounds.every_message_once {
            add(
                ".bounds.everyMessageOnce",
                own("it is seen by receipts"),
                "leave it out: what was sent is accounted for by the queue",
            );
        }
        if part.bounds.graceful_scale_in {
            add(".bounds.gracefulScaleIn", own("it is seen by receipts"), "leave it out");
        }
        for (at, load) in part.load.iter().enumerate() {
            if matches!(load.work, verify::Work::FailsFirst(_)) {
                add(
                    &format!(".load[{at}].failures"),
                    own("it fails as the message says"),
                    "send what your program fails at, by `body:`",
                );
            } else if load.work == verify::Work::Fails && load.body.is_none() {
                add(
                    &format!(".load[{at}].poison"),
                    own("it fails as the message says"),
                    "write `body:` with what your program fails at",
                );
            }
        }
    }
    problems
}

/// Faults that nobody plays here.
fn faults(read: &Read, settings: &Settings) -> Vec<Problem> {
    let plays = target::plays(settings);
    let mut problems = Vec::new();
    for (index, fault) in read.course.faults.iter().enumerate() {
        let name = fault.kind.name();
        if !plays.contains(&fault.kind) {
            let why = if fault.kind == FaultKind::PodsSlow {
                "its pods are not the local target's own"
            } else {
                "only Sluice's local cloud does"
            };
            let cause = format!("this target cannot play {name}: {why}");
            let able: Vec<_> = plays.iter().map(|kind| kind.name()).collect();
            let next = format!("it plays {}; leave the others out, or use --target local", able.join(", "));
            problems.push(read.problem(&format!("faults[{index}].fault"), cause, next));
        }
        let is_known = fault.workload.is_none() || read.course.parts.iter().any(|part| part.workload == fault.workload);
        if !is_known {
            let cause = format!("{:?} has no load in this file", fault.workload.as_deref().unwrap_or_default());
            problems.push(read.problem(
                &format!("faults[{index}].workload"),
                cause,
                "name one of its workloads".to_owned(),
            ));
        }
    }
    problems
}

/// Plays one file, with all of its workloads at once; reports and evidence of each.
pub(super) async fn play(
    course: &Course,
    settings: &Settings,
    target: &Target,
    after: After,
    view: &View,
    stop: CancellationToken,
) -> Outcome<Vec<(Report, PathBuf)>> {
    let several = course.parts.len() > 1;
    let (mut players, mut shown, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for part in &course.parts {
        let workload = workloads::one(&settings.stack, part.workload.as_ref())?;
        let messages = u32::try_from(part.messages()).unwrap_or(u32::MAX);
        let finding = subject::settings_for_run(workload, Some(messages), settings, target);
        let mut subject = waiting::during(view, &format!("Looking at workload {}", workload.name), finding).await?;
        subject.goes = after == After::Goes;
        if part.is_poisoned() && subject.dead_letter_queue_url.is_none() {
            let text =
                format!("a poison message returns for ever: the queue of {} has no dead-letter queue", workload.name);
            let help = "give the queue a RedrivePolicy, or write `failures: N` in place of `poison: true`";
            return Err(vec![Diagnostic::error(text).help(help).exit(Exit::Usage)]);
        }
        if subject.consumer == Consumer::Own {
            pace::say(std::iter::once(workload), target.clock.scale(), view);
        }
        let label = if several { workload.name.as_str() } else { "" };
        view.see(|| Seen::Workload {
            name: workload.name.clone(),
            scaling: subject.scaling,
            steps: &Course::STEPS,
            has_queue: true,
        });
        let (records, reported) = live::print(view, label, true, &workload.name);
        files.push(subject.evidence.clone());
        players.push(Player { settings: subject, live: Some(records) });
        shown.push(reported);
    }
    let reports = Box::pin(verify::play(players, course, stop)).await;
    futures::future::join_all(shown).await;
    let reports = reports.map_err(one)?;
    for (report, file) in reports.iter().zip(&files) {
        if let Some(step) = &report.interrupted_in {
            return Err(interrupted(&course.name, step, file));
        }
    }
    for report in &reports {
        show(report, Some(after), view);
    }
    Ok(reports.into_iter().zip(files).collect())
}
