//! `sluice verify`: live through stories, judge the evidence, write the reports. Also `sluice watch` and `sluice explain`,
//! which look at the same things.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clock::Clock;
use indexmap::IndexMap;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use verify::{Evidence, Names, Picture, Record, Report, Scaling, Story};

use crate::arguments::{Explain, Verify, Watch};
use crate::commands::outputs;
use crate::diagnostic::{Diagnostic, Outcome, one, preflight};
use crate::engine;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target::{self, Target};
use crate::view::{Tone, View};

/// Real time between two looks whether a stack that is watched is still there.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn run(
    wanted: &Verify,
    settings: &Settings,
    target: &Target,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    let mut worst = Exit::Done;
    for story in check(&wanted.stories, settings)? {
        let looking = self::settings(settings, target, wanted.messages as usize).await?;
        let evidence = looking.evidence.clone();
        let (records, told) = tell(view);
        let report = Box::pin(verify::run(looking, story, Some(records), stop.clone())).await;
        told.await;
        let report = report.map_err(one)?;
        if let Some(step) = &report.interrupted_in {
            return Err(interrupted(story, step, &evidence));
        }
        publish(&report, &evidence, settings, view)?;
        if !report.is_pass() {
            worst = Exit::VerificationFailed;
        }
    }
    Ok(worst)
}

/// A run that a person ended proves nothing: it is not published, so that the report of the last whole run stays.
fn interrupted(story: Story, step: &str, evidence: &Path) -> Vec<Diagnostic> {
    let text =
        format!("story {} ended in step {step}; the report of the last whole run is left as it is", story.name());
    let help = format!("what was seen is in {0}: `sluice verify --evidence {0}` judges it", evidence.display());
    vec![Diagnostic::interrupted(text).help(help)]
}

/// What can be known to fail before anything is made or sent: the stories, and the places for evidence and report.
pub(crate) fn check(stories: &[String], settings: &Settings) -> Outcome<Vec<Story>> {
    let stories = self::stories(stories)?;
    for folder in [settings.evidence(), settings.report()] {
        can_write(&folder)?;
    }
    Ok(stories)
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

/// Judges a recorded run again; needs nothing that is up.
pub(crate) fn judge(evidence: &Path, settings: &Settings, view: &View) -> Outcome {
    let report = verify::judge(evidence).map_err(one)?;
    publish(&report, evidence, settings, view)?;
    Ok(if report.is_pass() { Exit::Done } else { Exit::VerificationFailed })
}

pub(crate) async fn watch(
    watch: &Watch,
    settings: &Settings,
    target: &Target,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    let looking = self::settings(settings, target, 0).await?;
    let (records, told) = tell(view);
    let end = CancellationToken::new();
    let seconds = async {
        match watch.seconds {
            Some(seconds) => Clock::real().sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    let outcome = {
        let mut looking = std::pin::pin!(verify::watch(looking, records, end.clone()));
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => Err(vec![Diagnostic::interrupted("nothing is watched any more")]),
            () = seconds => Ok(Exit::Done),
            // Who looked has seen enough, as with `| head`.
            () = View::deserted() => Ok(Exit::Done),
            gone = gone(settings) => Err(gone),
            failed = &mut looking => return failed.map(|()| Exit::Done).map_err(one),
        };
        end.cancel();
        looking.await.map_err(one)?;
        ended
    };
    told.await;
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
        (None, Some(target)) => verify::explain_now(self::settings(settings, target, 0).await?).await.map_err(one)?,
        (None, None) => verify::explain(&Evidence::load(&newest(settings)?).map_err(one)?),
    };
    view.event("explanation", json!({ "timeline": timeline.json() }));
    for line in timeline.lines() {
        view.line(line);
    }
    Ok(Exit::Done)
}

fn stories(names: &[String]) -> Outcome<Vec<Story>> {
    let known = [Story::Seed];
    let find = |name: &String| {
        known.into_iter().find(|story| story.name() == name).ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|story| story.name()).collect();
            let text = format!("there is no story {name}");
            vec![Diagnostic::error(text).help(format!("there is {}", names.join(", "))).exit(Exit::Usage)]
        })
    };
    names.iter().map(find).collect()
}

/// What verification needs to know about the first workload.
async fn settings(settings: &Settings, target: &Target, messages: usize) -> Outcome<verify::Settings> {
    let queue_url = outputs::queue_url(settings)?;
    let workload = &settings.stack.workloads[0];
    let scaling = &workload.scaling;
    let cloud = std::sync::Arc::new(aws::resources::Cloud::new(
        &target.session,
        &settings.stack.name,
        "verify",
        "",
        &std::collections::BTreeMap::new(),
    ));
    let client = engine::connection(settings, target, &cloud).client().await.map_err(one)?;
    let stamp = target.clock.now().strftime("%Y%m%dT%H%M%S%3fZ");
    Ok(verify::Settings {
        session: target.session.clone(),
        client,
        queue_url,
        dead_letter_queue_url: None,
        names: Names {
            operator_namespace: settings.stack.operator.namespace.clone(),
            ..Names::usual(&workload.namespace, &workload.name)
        },
        scaling: Scaling {
            polling_seconds: scaling.polling_interval_seconds.into(),
            cooldown_seconds: scaling.cooldown_period_seconds.into(),
            window_seconds: scaling.scale_down_window_seconds.into(),
            min_replicas: scaling.min_replicas,
            max_replicas: scaling.max_replicas,
            queue_length: scaling.queue_length,
        },
        messages,
        evidence: settings.evidence().join(format!("{stamp}.jsonl")),
        stack: settings.stack.name.clone(),
        environment: environment(settings, target),
        limits: target.limits.clone(),
        seed: None,
        denials: target.denials.clone(),
        clock: target.clock.clone(),
    })
}

fn environment(settings: &Settings, target: &Target) -> IndexMap<String, String> {
    let stack = &settings.stack;
    let facts = [
        ("target", format!("{:?}", settings.target).to_lowercase()),
        ("region", stack.region.clone()),
        ("account", target.account_id.clone()),
        ("caller", target.caller_arn.clone()),
        ("cluster", stack.cluster.name.clone()),
        ("kubernetes", stack.cluster.version.clone()),
        ("time scale", format!("{}", target.clock.scale())),
        ("sluice", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Writes report.json, junit.xml and report.html, and shows the verdict.
fn publish(report: &Report, evidence: &Path, settings: &Settings, view: &View) -> Outcome<()> {
    let folder = settings.report();
    let html = stack::render("report.html", &report.html_context().map_err(one)?).map_err(one)?;
    let texts = [
        ("report.json", report.json().map_err(one)?),
        ("junit.xml", report.junit().map_err(one)?),
        ("report.html", html),
    ];
    let failed = |path: &Path, error: &std::io::Error| {
        let text = format!("failed to write {}: {error}", path.display());
        vec![Diagnostic::error(text).help("free some space, then judge again with `sluice verify --evidence FILE`")]
    };
    std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
    for (name, text) in texts {
        // Beside it and then renamed: an end in the middle leaves the old report or the new, never half of one.
        let (path, beside) = (folder.join(name), folder.join(format!("{name}.new")));
        let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &path));
        written.map_err(|error| failed(&path, &error))?;
    }
    view.event("verdicts", json!({ "report": report }));
    for line in report.lines() {
        let tone = if line.contains("FAIL") || line.contains(": fail") { Tone::Bad } else { Tone::Plain };
        view.tell(tone, line);
    }
    let shown = json!({ "evidence": evidence, "report": folder });
    view.fact(
        "report",
        shown,
        Tone::Dim,
        format!("Evidence {}\nReport   {}", evidence.display(), folder.join("report.html").display()),
    );
    Ok(())
}

/// The newest recorded run of the stack.
fn newest(settings: &Settings) -> Outcome<PathBuf> {
    let entries = std::fs::read_dir(settings.evidence()).into_iter().flatten().flatten();
    // File names are times, so the last name is the newest run.
    let files = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    files.max().ok_or_else(|| {
        let text = format!("nothing is up and there is no evidence in {}", settings.evidence().display());
        preflight(Diagnostic::error(text).help("run `sluice demo`, or `sluice up` and `sluice verify`"))
    })
}

/// A channel for records, and the task that shows them until it is closed.
fn tell(view: &View) -> (mpsc::UnboundedSender<Record>, impl Future<Output = ()> + use<>) {
    let (sender, mut records) = mpsc::unbounded_channel::<Record>();
    let view = view.clone();
    let task = tokio::spawn(async move {
        let (mut picture, mut shown) = (Picture::default(), String::new());
        while let Some(record) = records.recv().await {
            picture.apply(&record);
            view.event("observation", json!({ "record": record }));
            let line = line(&picture);
            if line != shown {
                let time = record.time.strftime("%H:%M:%S%.1f").to_string();
                view.line(format!("{}  {line}", view.dress(Tone::Dim, &time)));
                shown = line;
            }
        }
    });
    (sender, async move {
        let _ = task.await;
    })
}

/// The picture in one line; what is not known is a question mark, never a zero.
fn line(picture: &Picture) -> String {
    let number = |value: Option<String>| value.unwrap_or_else(|| "?".to_owned());
    let queue = picture.queue.as_ref();
    let replicas = picture.deployment.as_ref();
    let mut line = format!(
        "queue {:>3} waiting {:>3} in work · replicas {} wanted {} ready",
        number(queue.map(|counts| counts.visible.to_string())),
        number(queue.map(|counts| counts.in_flight.to_string())),
        number(replicas.map(|replicas| replicas.desired.to_string())),
        number(replicas.map(|replicas| replicas.ready.to_string())),
    );
    // Writing to a string cannot fail.
    if let Some(step) = &picture.step {
        let _ = write!(line, " · {}", step.name);
    }
    if let Some(refusal) = &picture.refusal {
        let _ = write!(line, " · refused: {}", refusal.text);
    }
    if let Some(blindness) = picture.blindness() {
        let _ = write!(line, " · {blindness}");
    }
    line
}
