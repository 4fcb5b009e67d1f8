//! `sluice verify`: run scenarios, evaluate the evidence, write the reports. Also `sluice watch` and `sluice explain`,
//! which look at the same things.

mod file;
mod live;
mod subject;
mod wishes;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clock::Clock;
use futures::future::{join_all, try_join_all};
use serde_json::json;
use stack::Workload;
use tokio_util::sync::CancellationToken;
use verify::{Consumer, Evidence, Read, Report, Reports, Scenario};

use crate::arguments::{Explain, Proof, Watch};
use crate::diagnostic::{Diagnostic, Outcome, one, preflight};
use crate::exit::Exit;
use crate::pace;
use crate::screen::Seen;
use crate::settings::Settings;
use crate::target::{self, Target};
use crate::view::{Tone, View, Weight, Wishes};
use crate::waiting;
use crate::{whole_file, workloads};

/// Real time between two looks whether a stack that is watched is still there.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What becomes of the stack after the verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It stays up, and can be looked into.
    Stays,
    /// It is taken down.
    Goes,
}

/// What a verification came to.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) exit: Exit,
    /// One a scenario and workload.
    pub(crate) reports: Vec<Report>,
    /// The HTML report.
    pub(crate) report: PathBuf,
}

/// Runs each scenario on each workload; one report for all.
pub(crate) async fn run(
    wanted: &Proof,
    settings: &Settings,
    target: &Target,
    after: After,
    view: &View,
    stop: CancellationToken,
) -> Outcome<Verified> {
    let Checked { scenarios, workloads, files } = check(wanted, settings)?;
    say_what_is_not_loaded(wanted, settings, &workloads, view);
    let (mut reports, mut evidence) = (Vec::new(), Vec::new());
    let several = workloads.len() > 1;
    for (workload, scenario) in
        workloads.iter().flat_map(|workload| scenarios.iter().map(move |scenario| (*workload, *scenario)))
    {
        let scenario = of_kind(workload, scenario);
        let finding = subject::settings_for_run(workload, wanted.messages, settings, target);
        let mut subject = waiting::during(view, &format!("Looking at workload {}", workload.name), finding).await?;
        subject.goes = after == After::Goes;
        if subject.consumer == Consumer::Own {
            pace::say(std::iter::once(workload), target.clock.scale(), view);
        }
        let path = subject.evidence.clone();
        let label = if several { workload.name.as_str() } else { "" };
        view.see(|| Seen::Workload {
            name: workload.name.clone(),
            scaling: subject.scaling,
            steps: scenario.steps(),
            has_queue: true,
        });
        let (records, reported) = live::print(view, label, true, &workload.name);
        let report = Box::pin(verify::run(subject, scenario, Some(records), stop.clone())).await;
        reported.await;
        let report = report.map_err(one)?;
        if let Some(step) = &report.interrupted_in {
            return Err(interrupted(scenario.name(), step, &path));
        }
        show(&report, Some(after), view);
        reports.push(report);
        evidence.push(path);
    }
    for read in &files {
        for (report, path) in file::play(&read.course, settings, target, after, view, stop.clone()).await? {
            reports.push(report);
            evidence.push(path);
        }
    }
    let weight = if after == After::Goes { Weight::Minor } else { Weight::Last };
    let exit = publish(reports.clone(), &evidence, &settings.report(), weight, view)?;
    Ok(Verified { exit, reports, report: settings.report().join("report.html") })
}

/// The scenario as it is for the workload: where Jobs do the work, what the tutorial does with replicas is done with Jobs.
fn of_kind(workload: &Workload, scenario: Scenario) -> Scenario {
    if workload.job.is_some() { Scenario::Jobs } else { scenario }
}

/// A run that a person ended proves nothing: it is not published, so that the report of the last whole run stays.
fn interrupted(scenario: &str, step: &str, evidence: &Path) -> Vec<Diagnostic> {
    let text = format!("scenario {scenario} ended in step {step}; the report of the last whole run is left as it is");
    let help = format!("what was seen is in {0}: `sluice verify --evidence {0}` evaluates it", evidence.display());
    vec![Diagnostic::interrupted(text).help(help)]
}

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Checked<'a> {
    scenarios: Vec<Scenario>,
    /// Those on which these scenarios run.
    workloads: Vec<&'a Workload>,
    /// Scenario files, which name their workloads themselves.
    files: Vec<Read>,
}

/// What can be known to fail before anything is made or sent: the scenarios, the workloads, and the places for evidence and
/// report.
pub(crate) fn check<'a>(wanted: &Proof, settings: &'a Settings) -> Outcome<Checked<'a>> {
    let (files, names): (Vec<String>, Vec<String>) =
        wanted.scenarios.iter().cloned().partition(|word| file::is_meant(word));
    let files = files.iter().map(|name| file::read(name, settings)).collect::<Outcome<Vec<_>>>()?;
    for folder in [settings.evidence(), settings.report()] {
        can_write(&folder)?;
    }
    if names.is_empty() {
        let unused = [(!wanted.workloads.is_empty(), "--workload"), (wanted.messages.is_some(), "--messages")];
        if let Some((_, flag)) = unused.into_iter().find(|(is_given, _)| *is_given) {
            let text = format!("{flag} has no effect: a scenario file names its workloads and messages itself");
            return Err(vec![Diagnostic::error(text).help("leave it out").exit(Exit::Usage)]);
        }
        return Ok(Checked { scenarios: Vec::new(), workloads: Vec::new(), files });
    }
    let (scenarios, workloads) = named(&names, wanted, settings)?;
    Ok(Checked { scenarios, workloads, files })
}

/// The scenarios that have these names, and the workloads on which they run.
fn named<'a>(names: &[String], wanted: &Proof, settings: &'a Settings) -> Outcome<(Vec<Scenario>, Vec<&'a Workload>)> {
    let scenarios = self::scenarios(names)?;
    let workloads = loaded(workloads::chosen(&settings.stack, &wanted.workloads)?, !wanted.workloads.is_empty())?;
    if let Some(workload) = workloads.iter().find(|workload| workload.scaling.min_replicas > 0) {
        let text = format!(
            "the scenario begins and ends at 0 replicas, and {} has at least {}",
            workload.name, workload.scaling.min_replicas
        );
        let help = "set its minReplicaCount to 0, or choose others with --workload";
        return Err(one(Diagnostic::error(text).help(help).exit(Exit::Usage)));
    }
    let of_replicas = workloads.iter().find(|workload| workload.job.is_none());
    if let Some(workload) = of_replicas.filter(|_| scenarios.contains(&Scenario::Jobs)) {
        let text = format!("the scenario jobs evaluates Jobs, and {} is a Deployment", workload.name);
        let help = "choose workloads of `kind: job` with --workload, or the scenario tutorial";
        return Err(one(Diagnostic::error(text).help(help).exit(Exit::Usage)));
    }
    Ok((scenarios, workloads))
}

/// Those on which a scenario can put load: whose own queue wakes them, without a formula. Of workloads that somebody named, each must
/// be one; otherwise one at least.
fn loaded(workloads: Vec<&Workload>, are_named: bool) -> Outcome<Vec<&Workload>> {
    let unloaded: Vec<&&Workload> =
        workloads.iter().filter(|workload| workloads::no_load(workload).is_some()).collect();
    if unloaded.is_empty() || (!are_named && unloaded.len() < workloads.len()) {
        return Ok(workloads.into_iter().filter(|workload| workloads::no_load(workload).is_none()).collect());
    }
    let wrong = |workload: &&&Workload| {
        let why = workloads::no_load(workload).unwrap_or_default();
        let text = format!("no scenario can put load on {}: {why}", workload.name);
        let help = "look at it with `sluice watch` and `sluice explain` while you put load on it yourself";
        Diagnostic::error(text).help(help).exit(Exit::Usage)
    };
    Err(unloaded.iter().map(wrong).collect())
}

/// Which workloads are not evaluated, and which triggers have to be quiet meanwhile.
fn say_what_is_not_loaded(wanted: &Proof, settings: &Settings, workloads: &[&Workload], view: &View) {
    let all = wanted.workloads.is_empty() && !workloads.is_empty();
    for workload in settings.stack.workloads.iter().filter(|_| all) {
        if let Some(why) = workloads::no_load(workload) {
            let text = format!("Not evaluated: {}, on which no scenario can put load: {why}", workload.name);
            view.outcome("not_evaluated", json!({ "workload": workload.name, "reason": why }), Tone::Change, text);
        }
    }
    for workload in workloads {
        let others: Vec<_> = workload.triggers.iter().filter(|trigger| !trigger.reads_queue).collect();
        if !others.is_empty() {
            let types: Vec<&str> = others.iter().map(|trigger| trigger.kind.as_str()).collect();
            let text = format!(
                "Note: {} is scaled by {} as well, on which the scenario puts no load: it proves the queue's trigger, and the \
                 others have to be inactive meanwhile.",
                workload.name,
                types.join(", ")
            );
            let body = json!({ "workload": workload.name, "types": types });
            view.outcome("other_triggers", body, Tone::Change, text);
        }
    }
}

/// Tries to write into the folder, or into the nearest one above it that exists. Nothing stays of it.
fn can_write(folder: &Path) -> Outcome<()> {
    let there = folder.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let nearest = there.into_iter().find(|path| path.exists()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(nearest).map(drop).map_err(|error| {
        let text = format!("failed to write into {}: {error}", nearest.display());
        preflight(
            Diagnostic::error(text).help("make it a folder that you may write to, or name another with --directory"),
        )
    })
}

/// Evaluates a recorded run again; needs nothing that is up. Its report goes to a folder of its own: the one of the last run may
/// be all that there is of that.
pub(crate) fn evaluate(evidence: &Path, seal: Option<&str>, settings: &Settings, view: &View) -> Outcome {
    let report = verify::evaluate(evidence).map_err(one)?;
    let found = report.seal.as_deref().unwrap_or_default();
    if let Some(expected) = seal.filter(|expected| !found.starts_with(expected)) {
        let text = format!("the evidence in {} has the seal {found}, and not {expected}", evidence.display());
        let help = "it is another run's, or all of it was sealed anew; the seal of a run stands in its report.json";
        return Err(one(Diagnostic::error(text).help(help)));
    }
    show(&report, None, view);
    if let Some(step) = &report.interrupted_in {
        view.diagnostic(&Diagnostic::warning(format!("the run ended in step {step}: it proves nothing")));
    }
    let folder = settings.report().join("evaluated").join(stem(evidence));
    let exit = write(Reports::of(vec![report]).as_ref(), &folder)?;
    announce(&[evidence.to_owned()], &folder, Weight::Last, view);
    Ok(exit)
}

/// What a file is called without its ending.
fn stem(file: &Path) -> &std::ffi::OsStr {
    file.file_stem().unwrap_or(file.as_os_str())
}

pub(crate) async fn watch(
    watch: &Watch,
    settings: &Settings,
    target: &Target,
    view: &View,
    stop: CancellationToken,
    wishes: Option<Wishes>,
) -> Outcome {
    let workloads = workloads::chosen(&settings.stack, &watch.workloads)?;
    let mut granted = Box::pin(wishes::grant(wishes, &workloads, settings, target, view));
    let end = CancellationToken::new();
    let (mut looks, mut reported) = (Vec::new(), Vec::new());
    for workload in &workloads {
        let subject = subject::settings(workload, settings, target).await?;
        view.see(|| Seen::Workload {
            name: workload.name.clone(),
            scaling: subject.scaling,
            steps: &[],
            has_queue: workload.queue.is_some(),
        });
        let label = if workloads.len() > 1 { workload.name.as_str() } else { "" };
        let (records, shown) = live::print(view, label, workload.queue.is_some(), &workload.name);
        looks.push(verify::watch(subject, records, end.clone()));
        reported.push(shown);
    }
    let seconds = async {
        match watch.seconds {
            Some(seconds) => Clock::real().sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    let outcome = {
        let mut read_only = std::pin::pin!(try_join_all(looks));
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => Err(vec![Diagnostic::interrupted("nothing is watched any more")]),
            () = seconds => Ok(Exit::Done),
            () = &mut granted => Ok(Exit::Done),
            // Who looked has seen enough, as with `| head`.
            () = View::deserted() => Ok(Exit::Done),
            gone = gone(settings) => Err(gone),
            failed = &mut read_only => return failed.map(|_| Exit::Done).map_err(one),
        };
        end.cancel();
        read_only.await.map_err(one)?;
        ended
    };
    join_all(reported).await;
    outcome
}

/// Returns once the stack is no longer there to be watched.
async fn gone(settings: &Settings) -> Vec<Diagnostic> {
    let clock = Clock::real();
    while settings.state().exists() && target::is_running(settings).unwrap_or(true) {
        clock.sleep(LOOK_EVERY).await;
    }
    preflight(Diagnostic::error("the stack was taken down while it was watched").help("bring it up with `sluice up`"))
}

/// From recorded evidence if it is named; otherwise what the cluster still remembers, or the newest recorded run.
pub(crate) async fn explain(explain: &Explain, settings: &Settings, target: Option<&Target>, view: &View) -> Outcome {
    let timeline = match (&explain.evidence, target) {
        (Some(path), _) => verify::explain(&Evidence::load(path).map_err(one)?),
        (None, Some(target)) => {
            let workload = workloads::one(&settings.stack, explain.workload.as_ref())?;
            verify::explain_now(subject::settings(workload, settings, target).await?).await.map_err(one)?
        }
        (None, None) => verify::explain(&newest(settings, explain.workload.as_ref())?),
    };
    view.event("explanation", json!({ "timeline": timeline.json() }));
    for line in timeline.lines() {
        view.line(line);
    }
    Ok(Exit::Done)
}

fn scenarios(names: &[String]) -> Outcome<Vec<Scenario>> {
    let known = Scenario::ALL;
    let find = |name: &String| {
        known.into_iter().find(|scenario| scenario.name() == name).ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|scenario| scenario.name()).collect();
            let text = format!("there is no scenario {name}");
            let help =
                format!("there is {}; a scenario file is given by its path, such as ./{name}.yaml", names.join(", "));
            vec![Diagnostic::error(text).help(help).exit(Exit::Usage)]
        })
    };
    names.iter().map(find).collect()
}

/// Shows the verdict on one run; after a run of a stack that stays up, also when the replicas came and went.
fn show(report: &Report, after: Option<After>, view: &View) {
    view.event("verdicts", json!({ "report": report }));
    let lines = report.lines();
    let Some((summary, checks)) = lines.split_last() else { return };
    let mut weight = Weight::Minor;
    for line in checks {
        let tone = if line.contains("FAIL") || line.contains(": fail") { Tone::Bad } else { Tone::Plain };
        // Under a check that did not pass stands why.
        if !line.starts_with(' ') {
            let is_good = line.starts_with("pass ") || line.starts_with("n/a ");
            weight = if is_good { Weight::Minor } else { Weight::Usual };
        }
        view.say(weight, tone, line);
    }
    view.say(Weight::Last, if report.is_pass() { Tone::Plain } else { Tone::Bad }, summary);
    if after == Some(After::Stays) {
        // The first line of the conclusion says what the summary says.
        report.conclusion().into_iter().skip(1).for_each(|line| view.say(Weight::Last, Tone::Plain, line));
    }
}

/// Writes the report of all runs of this command: as the last one, and where no other run's report will take its place.
fn publish(reports: Vec<Report>, evidence: &[PathBuf], folder: &Path, weight: Weight, view: &View) -> Outcome {
    let reports = Reports::of(reports);
    if let Some(last) = evidence.last() {
        write(reports.as_ref(), &folder.join("runs").join(stem(last)))?;
    }
    let exit = write(reports.as_ref(), folder)?;
    announce(evidence, folder, weight, view);
    Ok(exit)
}

/// Writes report.json, junit.xml and report.html.
fn write(report: Option<&Reports>, folder: &Path) -> Outcome {
    let Some(report) = report else { return Ok(Exit::VerificationFailed) };
    let html = stack::render("report.html", &report.html_context().map_err(one)?).map_err(one)?;
    let texts = [
        ("report.json", report.json().map_err(one)?),
        ("junit.xml", report.junit().map_err(one)?),
        ("report.html", html),
    ];
    let failed = |path: &Path, error: &std::io::Error| {
        let text = format!("failed to write {}: {error}", path.display());
        vec![Diagnostic::error(text).help("free some space, then evaluate again with `sluice verify --evidence FILE`")]
    };
    for (name, text) in texts {
        let path = folder.join(name);
        let written = whole_file::write(&path, 0o666, |out| out.write_all(text.as_bytes()));
        written.map_err(|error| failed(&path, &error))?;
    }
    Ok(if report.is_pass() { Exit::Done } else { Exit::VerificationFailed })
}

/// Says where evidence and report are.
fn announce(evidence: &[PathBuf], folder: &Path, weight: Weight, view: &View) {
    let last = evidence.last();
    let shown = json!({ "evidence": last, "evidence_of_all": evidence, "report": folder });
    let files: Vec<_> = evidence.iter().map(|path| format!("Evidence {}", path.display())).collect();
    let text = format!("{}\nReport   {}", files.join("\n"), folder.join("report.html").display());
    view.event("report", shown);
    view.say(weight, Tone::Dim, text);
}

/// The newest recorded run of the stack, or of one of its workloads.
fn newest(settings: &Settings, workload: Option<&String>) -> Outcome<Evidence> {
    let entries = std::fs::read_dir(settings.evidence()).into_iter().flatten().flatten();
    let is_evidence = |path: &PathBuf| path.extension().is_some_and(|end| end == "jsonl");
    let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(is_evidence).collect();
    // File names begin with times, so the last name is the newest run.
    files.sort();
    for file in files.iter().rev() {
        let evidence = Evidence::load(file).map_err(one)?;
        if workload.is_none_or(|name| evidence.header.workload.ends_with(&format!("/{name}"))) {
            return Ok(evidence);
        }
    }
    let whose = workload.map_or_else(String::new, |name| format!(" of {name}"));
    let text = format!("nothing is up and there is no evidence{whose} in {}", settings.evidence().display());
    Err(preflight(Diagnostic::error(text).help("run `sluice demo`, or `sluice up` and `sluice verify`")))
}
