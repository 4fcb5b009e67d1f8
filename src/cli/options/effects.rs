//! Which options that every command takes are of use to which command. Help shows these alone.
//!
//! Others are accepted in silence where they describe the stack, so that a person can repeat the words of `up` with every
//! command of the same stack. The rest is refused by name.

use clap::{Arg, Command, CommandFactory as _};

use crate::arguments::Arguments;

/// Ids of options, in groups.
type Groups = &'static [&'static [&'static str]];

/// What one command does with the options that every command takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effects {
    /// They change what it does or says.
    shown: Groups,
    /// They describe the stack, and nothing of this command hangs on them.
    accepted: Groups,
}

/// How the answer looks.
const SPEECH: &[&str] = &["output", "verbose"];
/// The command may show a screen.
const SCREEN: &[&str] = &["plain"];
/// Which stack, and what it is.
const STACK: &[&str] = &["file", "stack", "set"];
/// Where its state is.
const HOME: &[&str] = &["target", "directory"];
const REGION: &[&str] = &["region"];
const CONTEXT: &[&str] = &["context"];
const ENDPOINT: &[&str] = &["endpoint"];
/// LocalStack's container.
const CONTAINER: &[&str] = &["localstack_image"];
/// What pods are given.
const PODS: &[&str] = &["pod_image", "endpoint_for_pods"];
/// How the local cloud behaves.
const TIME: &[&str] = &["time_scale", "faults"];
/// The command works on a program, an image or a folder of its own, and on no stack.
const NO_STACK: Effects = Effects { shown: &[], accepted: &[] };

/// The row of the command with this path, such as `local start`.
pub(super) fn of(path: &str) -> Option<Effects> {
    let (shown, accepted): (Groups, Groups) = match path {
        "demo" | "up" => (&[STACK, HOME, REGION, CONTEXT, ENDPOINT, CONTAINER, PODS, TIME, SCREEN], &[]),
        "plan" | "preflight" => (&[STACK, HOME, REGION, CONTEXT, ENDPOINT, CONTAINER, PODS], &[TIME]),
        "down" => (&[STACK, HOME, REGION, CONTEXT, ENDPOINT, CONTAINER, SCREEN], &[PODS, TIME]),
        "graph" | "audit" => (&[STACK, HOME, REGION, CONTEXT, ENDPOINT, CONTAINER], &[PODS, TIME]),
        "verify" | "watch" => (&[STACK, HOME, REGION, CONTEXT, ENDPOINT, SCREEN], &[CONTAINER, PODS, TIME]),
        "status" | "env" | "explain" | "identity" | "drift" | "send" => {
            (&[STACK, HOME, REGION, CONTEXT, ENDPOINT], &[CONTAINER, PODS, TIME])
        }
        // `--stack-file` shows what each of them sets.
        "outputs" => (&[STACK, HOME, REGION, CONTEXT, ENDPOINT, CONTAINER, PODS], &[]),
        // It names what a stack would make, and looks at nothing.
        "policy" => (&[STACK, &["target"], REGION], &[&["directory"], CONTEXT, ENDPOINT, CONTAINER, PODS]),
        // A cluster of the user's has a kubeconfig already.
        "kubeconfig" => (&[STACK, HOME, REGION], &[CONTEXT, ENDPOINT, CONTAINER, PODS, TIME]),
        // It signs a URL, whoever is behind it.
        "token" => (&[STACK, HOME, REGION, ENDPOINT], &[]),
        // Its steps are commands of their own, which read the stack file.
        "workshop" => (&[&["file", "stack"], HOME, REGION, CONTEXT, ENDPOINT, CONTAINER, PODS, TIME], &[]),
        "local" | "local start" | "local run" => {
            (&[STACK, &["directory"], REGION, CONTEXT, TIME], &[&["target"], PODS])
        }
        "local stop" => (&[STACK, &["directory"]], &[&["target"], REGION, CONTEXT, PODS]),
        "local status" => (&[STACK, &["directory"]], &[&["target"], REGION, CONTEXT, PODS, TIME]),
        "operator manifests" | "operator chart" => (&[STACK, HOME, REGION, PODS], &[CONTEXT, ENDPOINT, CONTAINER]),
        "evidence" | "evidence diff" => return Some(NO_STACK),
        "operator" | "worker" | "reach" | "image" | "image save" | "image push" | "local exec" | "local init" => {
            return Some(NO_STACK);
        }
        _ => return None,
    };
    Some(Effects { shown, accepted })
}

impl Effects {
    /// Whether the option changes what the command does or says.
    pub(super) fn has(self, id: &str) -> bool {
        SPEECH.contains(&id) || self.shown.iter().any(|group| group.contains(&id))
    }

    /// Whether it is taken all the same.
    pub(super) fn accepts(self, id: &str) -> bool {
        SCREEN.contains(&id) || self.accepted.iter().any(|group| group.contains(&id))
    }

    /// Whether the command works on a stack at all.
    pub(super) fn is_of_stack(self) -> bool {
        !self.shown.is_empty()
    }
}

/// Whether every command takes the option with this id.
pub(super) fn is_everywhere(id: &str) -> bool {
    let groups = [SPEECH, SCREEN, STACK, HOME, REGION, CONTEXT, ENDPOINT, CONTAINER, PODS, TIME];
    groups.iter().any(|group| group.contains(&id))
}

/// The command line as it is read and explained: each command's help shows what is of use to it.
pub(crate) fn command() -> Command {
    let command = Arguments::command();
    let everywhere: Vec<Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    command.mut_subcommands(|subcommand| shown(subcommand, "", &everywhere))
}

/// Clap hands a global option down as it is, unless the command has one of the same id: here, the same but hidden.
fn shown(command: Command, above: &str, everywhere: &[Arg]) -> Command {
    let path = format!("{above}{}", command.get_name());
    let effects = of(&path).unwrap_or(NO_STACK);
    let own = everywhere.iter().map(|arg| arg.clone().hide(!effects.has(arg.get_id().as_str())));
    let below = format!("{path} ");
    command.args(own).mut_subcommands(|subcommand| shown(subcommand, &below, everywhere))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command with its path, built as it is read.
    fn all(command: &Command, above: &str) -> Vec<(String, Command)> {
        let subcommands = command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help");
        let found = subcommands.flat_map(|subcommand| {
            let path = format!("{above}{}", subcommand.get_name());
            let below = all(subcommand, &format!("{path} "));
            std::iter::once((path, subcommand.clone())).chain(below)
        });
        found.collect()
    }

    fn built() -> Command {
        let mut command = command();
        command.build();
        command
    }

    /// The long options that the help of a command shows, besides `--help`.
    fn shown_by(path: &str) -> Vec<String> {
        let all = all(&built(), "");
        let (_, command) = all.iter().find(|(other, _)| other == path).unwrap();
        let visible = command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != "help");
        visible.filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
    }

    #[test]
    fn the_declaration_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_has_a_row_and_every_option_is_in_a_group() {
        for (path, _) in all(&built(), "") {
            assert!(of(&path).is_some(), "{path} has no row");
        }
        let demo = of("demo").unwrap();
        for arg in Arguments::command().get_arguments().filter(|arg| arg.is_global_set()) {
            assert!(demo.has(arg.get_id().as_str()), "{} is in no group", arg.get_id());
        }
    }

    #[test]
    fn help_shows_what_has_an_effect_and_nothing_else() {
        for (path, command) in all(&built(), "") {
            let effects = of(&path).unwrap();
            for everywhere in Arguments::command().get_arguments().filter(|arg| arg.is_global_set()) {
                let id = everywhere.get_id();
                let arg = command.get_arguments().find(|arg| arg.get_id() == id).unwrap();
                assert_eq!(arg.get_long(), everywhere.get_long(), "{path} has another option of the id {id}");
                assert_eq!(!arg.is_hide_set(), effects.has(id.as_str()), "{path} {id}");
            }
        }
    }

    #[test]
    fn programs_inside_pods_show_their_own_options_only() {
        let operator = [
            "bind-address",
            "secure-port",
            "metrics-bind-address",
            "health-probe-bind-address",
            "ca-dir",
            "filepath-auth-root-path",
        ];
        assert_eq!(shown_by("operator"), [operator.as_slice(), &["output", "verbose"]].concat());
        let worker = [
            "queue-url",
            "work-seconds",
            "wait-seconds",
            "visibility-seconds",
            "parallelism",
            "failure-rate",
            "grace-seconds",
            "one-message",
            "seed",
        ];
        assert_eq!(shown_by("worker"), [&worker[..], &["output", "verbose"]].concat());
        assert_eq!(shown_by("reach"), ["output", "verbose"]);
        let token = shown_by("token");
        for none in ["time-scale", "context", "image", "endpoint-for-pods", "localstack-image"] {
            assert!(!token.iter().any(|shown| shown == none), "token shows --{none}");
        }
        // A kubeconfig that `sluice kubeconfig` wrote says these.
        for one in ["target", "stack", "region", "directory", "cluster-name"] {
            assert!(token.iter().any(|shown| shown == one), "token hides --{one}");
        }
    }

    #[test]
    fn an_option_before_the_command_counts_as_one_after_it() {
        use clap::FromArgMatches as _;
        for line in ["sluice --target aws --set a=b up", "sluice up --target aws --set a=b"] {
            let matches = command().get_matches_from(line.split(' '));
            let arguments = Arguments::from_arg_matches(&matches).unwrap();
            assert_eq!(arguments.global.target, crate::arguments::TargetName::Aws, "{line}");
            assert_eq!(arguments.global.set.len(), 1, "{line}");
        }
    }
}
