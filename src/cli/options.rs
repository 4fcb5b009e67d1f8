//! Options that could not take effect, refused by name before anything is made: one that is silently ignored is believed.
//!
//! What clap can say (values, conflicts within a command) it says. Here is what it cannot: options that every command takes
//! and this one has no use for, and options against what runs already. Only what was typed counts, for variables speak to
//! every command alike; the time scale of a variable counts where the outcome hangs on it.

use std::collections::BTreeSet;

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::arguments::{Command, Global, Local, LocalRun, Practice, TargetName, Workshop};
use crate::diagnostic::{Diagnostic, Outcome, one, preflight};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::target;

/// What was typed, by clap's ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Typed(BTreeSet<String>);

impl Typed {
    /// From the command line as clap has matched it, down to the last subcommand.
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        let mut typed = BTreeSet::new();
        let mut level = Some(matches);
        while let Some(matches) = level {
            let ids = matches.ids().map(|id| id.as_str().to_owned());
            typed.extend(ids.filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine)));
            level = matches.subcommand().map(|(_, matches)| matches);
        }
        Self(typed)
    }

    /// Whether the option with this id was typed.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.contains(id)
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

/// What a command works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// No stack at all.
    Nothing,
    /// The stack as files describe it.
    Files,
    /// The stack where it is.
    Cloud,
}

fn subject(command: &Command) -> Subject {
    match command {
        Command::Image(_)
        | Command::Reach(_)
        | Command::Worker(_)
        | Command::Local(Local::Exec(_) | Local::Init(_)) => Subject::Nothing,
        Command::Operator(operator) if operator.command.is_none() => Subject::Nothing,
        Command::Verify(wanted) if wanted.evidence.is_none() => Subject::Cloud,
        Command::Explain(wanted) if wanted.evidence.is_none() => Subject::Cloud,
        Command::Operator(_)
        | Command::Outputs(_)
        | Command::Local(Local::Stop)
        | Command::Verify(_)
        | Command::Explain(_)
        | Command::Workshop(
            Workshop { page: None, .. } | Workshop { action: Some(Practice::Show | Practice::Hint), .. },
        ) => Subject::Files,
        _ => Subject::Cloud,
    }
}

/// What an option that every command takes is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// The output: of use everywhere.
    Output,
    /// Which stack, and what it is.
    Stack,
    /// LocalStack's container or endpoint.
    LocalStack,
    /// Pods in a cluster of the user's.
    OwnCluster,
    /// How fast the local cloud's time runs.
    Time,
}

/// Every option that every command takes, by clap's id.
fn about(id: &str) -> Option<About> {
    match id {
        "output" | "verbose" => Some(About::Output),
        "file" | "target" | "stack" | "set" | "region" | "context" | "pod_image" | "directory" => Some(About::Stack),
        "endpoint" | "localstack_image" => Some(About::LocalStack),
        "endpoint_for_pods" => Some(About::OwnCluster),
        "time_scale" => Some(About::Time),
        _ => None,
    }
}

fn flag(id: &str) -> String {
    format!("--{}", if id == "pod_image" { "image".to_owned() } else { id.replace('_', "-") })
}

fn refused(id: &str, why: &str, help: &str) -> Diagnostic {
    Diagnostic::error(format!("{} cannot take effect here: {why}", flag(id))).help(help).exit(Exit::Usage)
}

/// Refuses what the command line alone shows to be of no use.
pub(crate) fn check(command: &Command, global: &Global, typed: &Typed) -> Outcome<()> {
    let subject = subject(command);
    let mut wrong = Vec::new();
    // Saving an image takes a file of its own, which clap calls by the same id as the stack file.
    let own = matches!(command, Command::Image(_)).then_some("file");
    for id in typed.0.iter().filter(|id| own != Some(id.as_str())) {
        wrong.extend(match (about(id), subject) {
            (Some(About::Stack | About::LocalStack | About::OwnCluster | About::Time), Subject::Nothing) => {
                Some(refused(id, "this command works on no stack", "leave it out"))
            }
            (Some(About::Time), Subject::Files) => {
                Some(refused(id, "this command does not look at what runs", "leave it out"))
            }
            (Some(About::LocalStack), _) if global.target != TargetName::Localstack => {
                Some(refused(id, "it is about LocalStack", "add --target localstack, or leave it out"))
            }
            _ => None,
        });
    }
    if typed.has("endpoint") && typed.has("localstack_image") {
        let why = "--endpoint names a LocalStack that runs already, and none is started";
        wrong.push(refused("localstack_image", why, "leave one of the two out"));
    }
    if let Command::Workshop(wanted) = command {
        wrong.extend(in_workshop(wanted, typed));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn in_workshop(wanted: &Workshop, typed: &Typed) -> Vec<Diagnostic> {
    let walks =
        !matches!(wanted.action, Some(Practice::Show | Practice::Hint | Practice::Reset)) && wanted.page.is_some();
    let mut wrong = Vec::new();
    if typed.has("set") {
        let help = "write the key into the stack file, which the steps read";
        wrong.push(refused("set", "the steps are commands of their own", help));
    }
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
pub(crate) fn check_against(command: &Command, settings: &Settings, global: &Global, typed: &Typed) -> Outcome<()> {
    let prints = matches!(command, Command::Operator(_));
    if typed.has("endpoint_for_pods") && !prints && !target::has_own_cluster(settings) {
        let why = "pods of this target see the endpoint as it is";
        return Err(vec![refused("endpoint_for_pods", why, "name a cluster of yours with --context, or leave it out")]);
    }
    if subject(command) != Subject::Cloud || settings.target != TargetName::Local {
        return Ok(());
    }
    let Some(record) = target::local_record(settings)? else { return Ok(()) };
    let counts = typed.has("time_scale") || matches!(command, Command::Verify(_));
    if let Some(scale) = global.time_scale.filter(|scale| counts && !is_same(*scale, record.time_scale)) {
        return Err(vec![other_time(scale, record.time_scale, settings)]);
    }
    if let Command::Local(Local::Start(options)) = command {
        if record.region != settings.stack.region {
            return Err(vec![target::other_region(&record.region, &settings.stack.region)]);
        }
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
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;
    use crate::arguments::Arguments;

    fn wrong(line: &str) -> Vec<String> {
        let matches = Arguments::command().get_matches_from(line.split(' '));
        let arguments = Arguments::from_arg_matches(&matches).unwrap();
        let checked = check(&arguments.command, &arguments.global, &Typed::of(&matches));
        checked.err().unwrap_or_default().into_iter().map(|wrong| wrong.summary).collect()
    }

    #[test]
    fn every_option_of_all_commands_is_in_the_table() {
        let command = Arguments::command();
        let unknown: Vec<_> = command
            .get_arguments()
            .filter(|argument| argument.is_global_set() && about(argument.get_id().as_str()).is_none())
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn what_could_not_take_effect_is_refused_by_name() {
        for (line, option) in [
            ("sluice image save x --stack a", "--stack"),
            ("sluice worker --queue-url http://q --region eu-west-1", "--region"),
            ("sluice operator --image a:1", "--image"),
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
