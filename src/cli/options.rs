//! Options that could not take effect, refused by name before anything is made: one that is silently ignored is believed.
//!
//! What clap can say (values, conflicts within a command) it says. Here is what it cannot: options that every command takes
//! and this one has no use for, and options against what runs already. Only what was typed counts, for variables speak to
//! every command alike; the time scale of a variable counts where the outcome hangs on it.

mod effects;

use std::collections::BTreeSet;

use clap::ArgMatches;
use clap::parser::ValueSource;

pub(crate) use self::effects::command;
use crate::arguments::command::{LocalCloud, Need, OnStack, Present, Recorded};
use crate::arguments::{Global, LocalRun, Practice, TargetName, Workshop};
use crate::diagnostic::{Diagnostic, Outcome, one, preflight};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target;

/// What was typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Typed {
    /// The command and its subcommands, such as `local start`.
    path: String,
    /// The options, by clap's ids.
    ids: BTreeSet<String>,
}

impl Typed {
    /// From the command line as clap has matched it, down to the last subcommand.
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        let (mut path, mut typed) = (Vec::new(), BTreeSet::new());
        let mut level = Some(matches);
        while let Some(matches) = level {
            let ids = matches.ids().map(|id| id.as_str().to_owned());
            typed.extend(ids.filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine)));
            level = matches.subcommand().map(|(name, matches)| {
                path.push(name);
                matches
            });
        }
        Self { path: path.join(" "), ids: typed }
    }

    /// Whether the option with this id was typed.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }
}

/// Whether a command line that cannot be parsed asks for JSON: in words, or by the variable where it does not say.
pub(crate) fn asks_for_json(words: impl Iterator<Item = std::ffi::OsString>, variable: Option<&str>) -> bool {
    let (mut wanted, mut next) = (variable == Some("json"), false);
    for word in words.map(|word| word.to_string_lossy().into_owned()).take_while(|word| word != "--") {
        let said =
            if next { Some(word.as_str()) } else { word.strip_prefix("--output=").or_else(|| word.strip_prefix("-o")) };
        if let Some(said) = said.map(|said| said.trim_start_matches('=')).filter(|said| !said.is_empty()) {
            wanted = said == "json";
        }
        next = word == "--output" || word == "-o";
    }
    wanted
}

/// Whether the command looks at what runs, as this line of words has it.
fn looks_at_cloud(command: &OnStack) -> bool {
    match command {
        OnStack::Mutating(_)
        | OnStack::ReadOnly(_)
        | OnStack::Present(_)
        | OnStack::Recorded(Recorded::Status | Recorded::Env)
        | OnStack::Local(LocalCloud::Start(_) | LocalCloud::Run(_) | LocalCloud::Status) => true,
        OnStack::Recorded(Recorded::Explain(wanted)) => wanted.evidence.is_none(),
        OnStack::Recorded(Recorded::Identity(wanted)) => !wanted.declared,
        OnStack::Workshop(wanted) => {
            wanted.page.is_some() && !matches!(wanted.action, Some(Practice::Show | Practice::Hint))
        }
        OnStack::Recorded(Recorded::Outputs(_) | Recorded::Policy(_))
        | OnStack::Local(LocalCloud::Stop)
        | OnStack::Evaluate(..)
        | OnStack::Manifests(_)
        | OnStack::Chart(_) => false,
    }
}

fn flag(id: &str) -> String {
    format!("--{}", if id == "pod_image" { "image".to_owned() } else { id.replace('_', "-") })
}

fn refused(id: &str, why: &str, help: &str) -> Diagnostic {
    Diagnostic::error(format!("{} cannot take effect here: {why}", flag(id))).help(help).exit(Exit::Usage)
}

/// Refuses what the command line alone shows to be of no use.
pub(crate) fn check(need: &Need, global: &Global, typed: &Typed) -> Outcome<()> {
    let mut wrong: Vec<Diagnostic> = typed.ids.iter().filter_map(|id| useless(id, need, global, typed)).collect();
    if typed.has("endpoint") && typed.has("localstack_image") {
        let why = "--endpoint names a LocalStack that runs already, and none is started";
        wrong.push(refused("localstack_image", why, "leave one of the two out"));
    }
    if let Need::Stack(OnStack::Workshop(wanted)) = need {
        wrong.extend(in_workshop(wanted));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Why an option that every command takes is of no use to this one.
fn useless(id: &str, need: &Need, global: &Global, typed: &Typed) -> Option<Diagnostic> {
    let effects = effects::of(&typed.path)?;
    if !effects::is_everywhere(id) {
        return None;
    }
    if !effects.is_of_stack() && !effects.has(id) {
        return Some(refused(id, "this command works on no stack", "leave it out"));
    }
    if id == "time_scale" && matches!(need, Need::Stack(command) if !looks_at_cloud(command)) {
        return Some(refused(id, "this command does not look at what runs", "leave it out"));
    }
    if id == "target" && matches!(need, Need::Stack(OnStack::Local(_))) && global.target != TargetName::Local {
        return Some(refused(id, "the local cloud is the local target's", "leave it out"));
    }
    if matches!(id, "endpoint" | "localstack_image") && global.target != TargetName::Localstack {
        return Some(refused(id, "it is about LocalStack", "add --target localstack, or leave it out"));
    }
    if effects.has(id) || effects.accepts(id) {
        return None;
    }
    if id == "set" {
        let help = "write the key into the stack file, which the steps read";
        return Some(refused(id, "the steps are commands of their own", help));
    }
    Some(refused(id, "nothing of this command hangs on it", "leave it out"))
}

fn in_workshop(wanted: &Workshop) -> Vec<Diagnostic> {
    let walks =
        !matches!(wanted.action, Some(Practice::Show | Practice::Hint | Practice::Reset)) && wanted.page.is_some();
    let mut wrong = Vec::new();
    if !wanted.without.is_empty() && !walks {
        wrong.push(refused("without", "no step is done", "leave it out"));
    }
    if let (Some(action @ (Practice::Show | Practice::Reset)), Some(step)) = (wanted.action, wanted.step) {
        let what = if action == Practice::Show { "show prints the whole page" } else { "reset takes everything down" };
        let help = format!("leave the step out; `hint {step}` and `check {step}` are about one");
        wrong.push(Diagnostic::error(format!("step {step} has no meaning here: {what}")).help(help).exit(Exit::Usage));
    }
    wrong
}

/// Refuses what the stack, or what runs already, keeps from taking effect.
pub(crate) fn check_against(command: &OnStack, settings: &Settings, typed: &Typed) -> Outcome<()> {
    let prints = matches!(command, OnStack::Manifests(_));
    if typed.has("endpoint_for_pods") && !prints && !target::has_own_cluster(settings) {
        let why = "pods of this target see the endpoint as it is";
        return Err(vec![refused("endpoint_for_pods", why, "name a cluster of yours with --context, or leave it out")]);
    }
    if !looks_at_cloud(command) || settings.target != TargetName::Local {
        return Ok(());
    }
    let Some(record) = target::local_record(settings)? else { return Ok(()) };
    let counts = typed.has("time_scale") || matches!(command, OnStack::Present(Present::Verify(_)));
    if let Some(scale) = settings.wanted_time_scale.filter(|scale| counts && !is_same(*scale, record.time_scale)) {
        return Err(vec![other_time(scale, record.time_scale, settings)]);
    }
    if let OnStack::Local(LocalCloud::Start(options)) = command {
        if record.region != settings.stack.region {
            return Err(vec![target::other_region(&record.region, &settings.stack.region)]);
        }
        target::same_faults(settings, &record)?;
        return with_running(options, &record.aws_endpoint);
    }
    Ok(())
}

pub(crate) fn is_same(one: f64, other: f64) -> bool {
    (one - other).abs() <= f64::EPSILON
}

/// Time cannot change its pace while something lives in it.
pub(crate) fn other_time(wanted: f64, runs: f64, settings: &Settings) -> Diagnostic {
    let text =
        format!("the local cloud's time is {runs}× as fast, and --time-scale {wanted} cannot change it while it runs");
    let (end, begin) = if settings.state().exists() {
        ("sluice down", "sluice up")
    } else {
        ("sluice local stop", "sluice local start")
    };
    let help = format!("end it first with `{end}`, then `{begin} --time-scale {wanted}`; or leave --time-scale out");
    Diagnostic::error(text).help(help).exit(Exit::Preflight)
}

/// What `local start` asks of a cloud that runs already: it may be so, but cannot be made so.
fn with_running(options: &LocalRun, endpoint: &str) -> Outcome<()> {
    let address = endpoint.trim_start_matches("http://").parse::<std::net::SocketAddr>().map_err(one)?;
    let other = [
        options.port.filter(|port| *port != 0 && *port != address.port()).map(|port| format!("--port {port}")),
        options.bind.filter(|bind| *bind != address.ip()).map(|bind| format!("--bind {bind}")),
        options.trust.as_ref().map(|file| format!("--trust {}", file.display())),
        options.audit_log_path.as_ref().map(|file| format!("--audit-log-path {}", file.display())),
        options.trail_path.as_ref().map(|file| format!("--trail-path {}", file.display())),
        options.wire_log_path.as_ref().map(|file| format!("--wire-log-path {}", file.display())),
    ];
    let other: Vec<String> = other.into_iter().flatten().collect();
    if other.is_empty() {
        return Ok(());
    }
    let text = format!("the local cloud runs already, at {endpoint}: {} cannot take effect", other.join(", "));
    Err(preflight(Diagnostic::error(text).help("end it first with `sluice local stop`, or leave the option out")))
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;
    use crate::arguments::Arguments;

    fn wrong(line: &str) -> Vec<String> {
        let matches = command().get_matches_from(line.split(' '));
        let Arguments { global, command } = Arguments::from_arg_matches(&matches).unwrap();
        let checked = check(&command.need(), &global, &Typed::of(&matches));
        checked.err().unwrap_or_default().into_iter().map(|wrong| wrong.summary).collect()
    }

    #[test]
    fn what_could_not_take_effect_is_refused_by_name() {
        for (line, option) in [
            ("sluice image save x --stack a", "--stack"),
            ("sluice worker --queue-url http://q --region eu-west-1", "--region"),
            ("sluice operator --image a:1", "--image"),
            ("sluice operator --target aws", "--target"),
            ("sluice --directory x operator", "--directory"),
            ("sluice worker --queue-url http://q --time-scale 3", "--time-scale"),
            ("sluice reach http://q --set region=eu-west-1", "--set"),
            ("sluice image save x --file stack.yaml", "--file"),
            ("sluice token --time-scale 3", "--time-scale"),
            ("sluice token --context mine", "--context"),
            ("sluice token --image a:1", "--image"),
            ("sluice local start --target aws", "--target"),
            ("sluice operator manifests --time-scale 3", "--time-scale"),
            ("sluice up --endpoint http://localhost:4566", "--endpoint"),
            ("sluice --endpoint http://localhost:4566 up", "--endpoint"),
            ("sluice up --target aws --localstack-image a:1", "--localstack-image"),
            ("sluice up --target localstack --endpoint http://l --localstack-image a:1", "--localstack-image"),
            ("sluice outputs --time-scale 3", "--time-scale"),
            ("sluice verify --evidence x --time-scale 3", "--time-scale"),
            ("sluice local stop --time-scale 3", "--time-scale"),
            ("sluice workshop --time-scale 3", "--time-scale"),
            ("sluice workshop 1 solve --set region=eu-west-1", "--set"),
            ("sluice workshop --without aws", "--without"),
            ("sluice workshop 1 hint 2 --without aws", "--without"),
            ("sluice workshop 1 show 2", "step 2"),
            ("sluice workshop 1 reset 2", "step 2"),
        ] {
            let [summary] = wrong(line).try_into().unwrap_or_else(|all| panic!("{line}: {all:?}"));
            assert!(summary.contains(option), "{line}: {summary}");
        }
        for line in [
            "sluice image save x --output json",
            "sluice up --target localstack --endpoint http://localhost:4566 --context mine",
            "sluice operator manifests --endpoint-for-pods http://a --image b:1",
            "sluice local start --time-scale 3",
            "sluice verify --time-scale 3",
            "sluice workshop 1 solve 3 --without aws --time-scale 3",
            "sluice down --image a:1 -v",
            "sluice token --target aws --stack a --region eu-west-1 --directory d --cluster-name a",
            "sluice worker --queue-url http://q -v --output json",
            "sluice local stop --target local",
        ] {
            assert_eq!(wrong(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_parsed_still_says_how_it_wants_its_answer() {
        let json = |line: &str, variable| asks_for_json(line.split(' ').map(std::ffi::OsString::from), variable);
        for line in ["verfiy --output json", "-o json verfiy", "--output=json x", "x -ojson", "x -o=json"] {
            assert!(json(line, None), "{line}");
        }
        for line in ["verfiy", "verfiy --output human", "send -- --output json", "x -o"] {
            assert!(!json(line, None), "{line}");
        }
        assert!(json("verfiy", Some("json")) && !json("verfiy -o human", Some("json")));
    }

    #[test]
    fn what_runs_may_be_requested_as_it_is() {
        let options = |port, bind: &str| LocalRun { port, bind: Some(bind.parse().unwrap()), ..LocalRun::default() };
        assert!(with_running(&LocalRun::default(), "http://127.0.0.1:4000").is_ok());
        assert!(with_running(&options(Some(4000), "127.0.0.1"), "http://127.0.0.1:4000").is_ok());
        assert!(with_running(&options(Some(0), "127.0.0.1"), "http://127.0.0.1:4000").is_ok());
        let other = with_running(&options(Some(4001), "0.0.0.0"), "http://127.0.0.1:4000").unwrap_err();
        assert!(other[0].summary.contains("--port 4001, --bind 0.0.0.0"), "{other:?}");
        assert_eq!(other[0].exit, Exit::Preflight);
    }
}
