//! What the typed words mean: the stack, resolved once, and the folder that belongs to it.

use std::path::{Path, PathBuf};

use aws::recording::{self, Recording};
use aws::session::Session;
use clock::Clock;
use jiff::Timestamp;
use local::Faults;
use serde_json::json;
use stack::{Loaded, Origin, Override, Problem, Stack};

use crate::arguments::{Global, TargetName};
use crate::diagnostic::{Diagnostic, Outcome, preflight};
use crate::exit::Exit;
use crate::stack_location;
use crate::triggers;
use crate::view::{Tone, View};
use crate::workloads;

/// The stack file that is read if none is named.
const FILE_DEFAULT: &str = "stack.yaml";

const STATE_FILE: &str = "state.json";

/// Makes the tutorial's own settings pass in under a minute.
const TIME_SCALE_DEFAULT: f64 = 30.0;

/// What every command works with.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) stack: Stack,
    /// The stack file, if one was read.
    pub(crate) file: Option<PathBuf>,
    /// Every key of the stack with its value and origin.
    pub(crate) keys: Vec<stack::Setting>,
    /// The workloads whose triggers are written out, as the operator reads them.
    pub(crate) triggers: Vec<triggers::Written>,
    pub(crate) target: TargetName,
    pub(crate) time_scale: f64,
    /// The time scale that was asked for, in words or by the variable.
    pub(crate) wanted_time_scale: Option<f64>,
    /// What is late, busy or refused on the local target, as on AWS.
    pub(crate) faults: Faults,
    /// Time runs slower than by default, since the stack's periods could not be evaluated otherwise.
    pub(crate) is_slowed: bool,
    /// State, evidence, reports and the local cloud's own files, of this stack on this target.
    pub(crate) folder: PathBuf,
    /// Where each request to AWS is recorded, if it is.
    pub(crate) recording: Option<Recording>,
}

impl Settings {
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join(STATE_FILE)
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    pub(crate) fn failures(&self) -> PathBuf {
        self.folder.join("failures")
    }

    pub(crate) fn evidence(&self) -> PathBuf {
        self.folder.join("evidence")
    }

    /// The file for what a command says that begins at `began`.
    pub(crate) fn log(&self, command: &str, began: Timestamp) -> PathBuf {
        self.folder.join("logs").join(format!("{}-{command}.log", began.strftime("%Y%m%dT%H%M%S%3fZ")))
    }

    /// `session`, whose requests are recorded if that was asked for.
    pub(crate) fn recorded(&self, session: Session) -> Session {
        self.recording.as_ref().map(|recording| session.recorded_by(recording)).unwrap_or(session)
    }

    /// The same with what is sent to AWS from now on recorded into `folder`, if one is given.
    pub(crate) fn recording_into(&self, folder: Option<&Path>, command: &str, view: &View) -> Outcome<Self> {
        let mut settings = self.clone();
        let Some(folder) = folder else { return Ok(settings) };
        let queues = self.stack.names().workloads.into_iter().map(|named| named.queue);
        let own = [self.stack.name.clone(), self.stack.cluster.name.clone()].into_iter().chain(queues).collect();
        let options = recording::Options { folder, command, own, clock: Clock::real() };
        let recording = Recording::begin(options).map_err(|error| {
            let text = format!("requests cannot be recorded in {}: {error}", folder.display());
            preflight(Diagnostic::error(text).help("name a folder that can be written with --record"))
        })?;
        let path = recording.path().display().to_string();
        view.outcome(
            "recording",
            json!({ "path": path }),
            Tone::Dim,
            format!("Requests to AWS are recorded in {path}"),
        );
        settings.recording = Some(recording);
        Ok(settings)
    }

    pub(crate) fn report(&self) -> PathBuf {
        self.folder.join("report")
    }
}

/// Reads the stack file and lays the flags over it. Warnings are shown at once; all problems come back together.
pub(crate) async fn resolve(global: &Global, view: &View) -> Outcome<Settings> {
    check_directory(&global.directory)?;
    let (name, text) = if global.reads_file { read(global.file.as_deref())? } else { (FILE_DEFAULT.to_owned(), None) };
    let file = text.as_deref().map(|text| stack::File { name: &name, text });
    let today = Clock::real().now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let load = |overrides: &[Override]| {
        let diagnostic = |problem: &Problem| Diagnostic::of_problem(problem, Diagnostic::error);
        stack::load(file, overrides, today).map_err(|problems| problems.0.iter().map(diagnostic).collect::<Vec<_>>())
    };
    let mut loaded = load(&overrides(global))?;
    let folder = global.directory.join(folder_name(&loaded.stack.name, global.target));
    let mut otherwise = remembered(&folder, &loaded, global.target);
    let is_open = |otherwise: &[Override]| otherwise.iter().all(|over| over.key != "region");
    if global.target == TargetName::Aws && says_no_region(&loaded) && is_open(&otherwise) {
        let region = Session::configured_region().await;
        otherwise.extend(region.map(|region| recorded("region", &region, Origin::Profile)));
    }
    if !otherwise.is_empty() {
        loaded = load(&[otherwise, overrides(global)].concat())?;
    }
    let triggers = triggers::read(&loaded, text.is_some().then_some(name.as_str())).await?;
    let Loaded { stack, settings, warnings } = loaded;
    for warning in &warnings {
        view.diagnostic(&Diagnostic::of_problem(warning, Diagnostic::warning));
    }
    let is_real_time = stack.kubernetes.context.is_some() || global.target != TargetName::Local;
    if is_real_time && global.time_scale.is_some_and(|scale| (scale - 1.0).abs() > f64::EPSILON) {
        let text = "only Sluice's own cluster can run faster than real time";
        let help = "leave out --time-scale; shorter periods in the stack file make a shorter scenario";
        return Err(vec![Diagnostic::error(text).help(help).exit(Exit::Usage)]);
    }
    let faults = faults(&stack, global)?;
    let time_scale = global
        .time_scale
        .unwrap_or_else(|| if is_real_time { 1.0 } else { workloads::time_scale(&stack, TIME_SCALE_DEFAULT) });
    let is_slowed = global.time_scale.is_none() && !is_real_time && time_scale < TIME_SCALE_DEFAULT;
    let file = text.is_some().then(|| PathBuf::from(name));
    Ok(Settings {
        stack,
        file,
        keys: settings,
        triggers,
        target: global.target,
        time_scale,
        wanted_time_scale: global.time_scale,
        faults,
        is_slowed,
        folder,
        recording: None,
    })
}

/// What the stack wants to be late, busy or refused. Only the local target can do that, so on another one the word for it is
/// refused, and the file's key waits for the local one.
fn faults(stack: &Stack, global: &Global) -> Outcome<Faults> {
    let usage = |text: String, help: &str| vec![Diagnostic::error(text).help(help).exit(Exit::Usage)];
    if global.faults.is_some() && global.target != TargetName::Local {
        let text = "--faults has no effect: only Sluice's own local cloud can be late or busy on request".to_owned();
        return Err(usage(text, "leave it out, or leave out --target"));
    }
    let Some(text) = stack.local.faults.as_deref() else { return Ok(Faults::default()) };
    text.parse().map_err(|error| usage(format!("local.faults: {error}"), "docs/faults.md says what each of them does"))
}

/// State, evidence and reports need a folder, which is made where nothing stands in its way.
fn check_directory(directory: &Path) -> Outcome<()> {
    let Some((path, there)) = directory.ancestors().find_map(|path| Some((path, std::fs::metadata(path).ok()?))) else {
        return Ok(());
    };
    if there.is_dir() {
        return Ok(());
    }
    let text = format!(
        "the folder for state, evidence and reports cannot be {}: {} is no folder",
        directory.display(),
        path.display()
    );
    Err(vec![Diagnostic::error(text).help("name another with --directory").exit(Exit::Usage)])
}

/// One folder a stack and target: a state of the local cloud must never be taken for one of AWS.
fn folder_name(stack: &str, target: TargetName) -> String {
    match target {
        TargetName::Local => stack.to_owned(),
        TargetName::Localstack => format!("{stack}@localstack"),
        TargetName::Aws => format!("{stack}@aws"),
    }
}

fn read(file: Option<&Path>) -> Outcome<(String, Option<String>)> {
    let path = file.unwrap_or(Path::new(FILE_DEFAULT));
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((name, Some(text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => Ok((name, None)),
        Err(error) => Err(vec![
            Diagnostic::error(format!("failed to read {name}: {error}"))
                .help("name the stack file with --file, or leave it out for all defaults")
                .exit(Exit::Usage),
        ]),
    }
}

fn overrides(global: &Global) -> Vec<Override> {
    let flag = |name: &str, key: &str, value: &str| Override {
        key: key.to_owned(),
        value: value.to_owned(),
        origin: Origin::Flag { name: name.to_owned() },
    };
    let stack = global.stack.iter().map(|value| flag("--stack", "name", value));
    let region = global.region.iter().map(|value| flag("--region", "region", value));
    let optional = |name: &str, key: &str, value: &Option<String>| value.as_ref().map(|value| flag(name, key, value));
    let existing = [
        optional("--context", "kubernetes.context", &global.context),
        optional("--endpoint-for-pods", "kubernetes.endpointForPods", &global.endpoint_for_pods),
        optional("--endpoint", "localstack.endpoint", &global.endpoint),
        optional("--localstack-image", "localstack.image", &global.localstack_image),
        optional("--image", "image", &global.pod_image),
        // Its colon is not YAML's.
        optional(
            "--faults",
            "local.faults",
            &global.faults.as_ref().map(|text| serde_json::Value::from(text.as_str()).to_string()),
        ),
    ];
    let set = global.set.iter().map(|(key, value)| flag("--set", key, value));
    stack.chain(region).chain(existing.into_iter().flatten()).chain(set).collect()
}

/// Where the stack is up, as far as nobody says anything else: the region, and a cluster of the user's. So no command looks for
/// it elsewhere. A state or record that cannot be read is reported by whatever needs it.
fn remembered(folder: &Path, loaded: &Loaded, target: TargetName) -> Vec<Override> {
    let stack_location = provision::store::load(&folder.join(STATE_FILE)).ok().flatten();
    let stack_location =
        stack_location.filter(|state| !state.resources.is_empty()).map(|state| state.location).unwrap_or_default();
    let running = || local::process::find(&local::files::Folder::at(folder)).ok().flatten();
    let mut found = Vec::new();
    if says_no_region(loaded) {
        let region = stack_location.get(stack_location::REGION).cloned();
        let region = region.or_else(|| running().filter(|_| target == TargetName::Local).map(|record| record.region));
        found.extend(region.map(|region| ("region", region)));
    }
    if loaded.stack.kubernetes.context.is_none() {
        let keys =
            [("kubernetes.context", stack_location::CONTEXT), ("kubernetes.kubeconfig", stack_location::KUBECONFIG)];
        found.extend(
            keys.into_iter().filter_map(|(key, recorded_key)| Some((key, stack_location.get(recorded_key)?.clone()))),
        );
    }
    found.into_iter().map(|(key, text)| recorded(key, &text, Origin::State)).collect()
}

/// A text that somebody else than the file says.
fn recorded(key: &str, text: &str, origin: Origin) -> Override {
    Override { key: key.to_owned(), value: serde_json::Value::from(text).to_string(), origin }
}

fn says_no_region(loaded: &Loaded) -> bool {
    loaded.settings.iter().any(|setting| setting.key == "region" && setting.origin == Origin::Default)
}
