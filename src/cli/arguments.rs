//! What can be typed. These types hold words, not meaning; `settings` turns them into what a command works with.

pub mod command;
pub mod image;
mod keda_flags;
pub mod pods;
mod stack;

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use self::command::Command;
pub use self::stack::{
    Demo, Down, Evidence, Exec, Explain, Identity, Init, Kubeconfig, LocalRun, Outputs, Plan, Policy, Practice,
    Preflight, Programs, Proof, Send, Token, Up, Verify, Watch, Workshop,
};

/// From nothing to a proven event-driven autoscaling setup, and back to nothing.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 changes pending (plan --detailed-exitcode), 4 verification failed,
/// 5 leftovers found, 6 preflight failed, 130 interrupted (Ctrl-C, SIGTERM, SIGHUP).
#[derive(Debug, Parser)]
#[command(name = "sluice", version, max_term_width = 120)]
pub struct Arguments {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Heading of the options that say which stack, and where.
const STACK: &str = "Stack options";
/// Heading of the options that say how the answer looks.
const SPEECH: &str = "Output options";

/// Where to work and how to speak.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The stack file; `stack.yaml` in this folder if it is there, otherwise all defaults
    #[arg(long, short = 'f', global = true, help_heading = STACK, env = "SLUICE_FILE", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Where to work
    #[arg(long, short = 't', global = true, help_heading = STACK, env = "SLUICE_TARGET", value_enum, default_value_t = TargetName::Local)]
    pub target: TargetName,
    /// Text for a person, or one JSON object a line
    #[arg(long, short = 'o', global = true, help_heading = SPEECH, env = "SLUICE_OUTPUT", value_enum, default_value_t = Output::Human)]
    pub output: Output,
    /// The stack's name, and its cluster's
    #[arg(long, global = true, help_heading = STACK, env = "SLUICE_STACK", value_name = "NAME")]
    pub stack: Option<String>,
    /// Set a key of the stack file, such as `workloads[0].scaling.maxReplicaCount=5`; may be repeated
    #[arg(long = "set", global = true, help_heading = STACK, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// The AWS region
    #[arg(long, global = true, help_heading = STACK, env = "AWS_REGION", value_name = "REGION")]
    pub region: Option<String>,
    /// A cluster of yours, by its context in the kubeconfig, instead of one on EKS
    #[arg(long, global = true, help_heading = STACK, env = "SLUICE_CONTEXT", value_name = "CONTEXT")]
    pub context: Option<String>,
    /// LocalStack's endpoint; without it a container is started
    #[arg(long, global = true, help_heading = STACK, env = "SLUICE_ENDPOINT", value_name = "URL")]
    pub endpoint: Option<String>,
    /// The AWS endpoint as pods of your cluster see it
    #[arg(long, global = true, help_heading = STACK, env = "SLUICE_ENDPOINT_FOR_PODS", value_name = "URL")]
    pub endpoint_for_pods: Option<String>,
    /// The image of operator and consumer
    #[arg(long = "image", global = true, help_heading = STACK, env = "SLUICE_IMAGE", value_name = "NAME:TAG")]
    pub pod_image: Option<String>,
    /// LocalStack's image
    #[arg(long, global = true, help_heading = STACK, env = "SLUICE_LOCALSTACK_IMAGE", value_name = "NAME:TAG")]
    pub localstack_image: Option<String>,
    /// The folder for state, evidence and reports
    #[arg(long, global = true, help_heading = STACK, env = "SLUICE_DIRECTORY", value_name = "FOLDER", default_value = ".sluice")]
    pub directory: PathBuf,
    /// How many times faster time runs on the local target; 1 is real time [default: 30, and 1 with a cluster of yours]
    #[arg(long, global = true, help_heading = STACK, env = "SLUICE_TIME_SCALE", value_name = "N", value_parser = time_scale)]
    pub time_scale: Option<f64>,
    /// What is late, busy or refused on the local target, as on AWS: all of it, or names of docs/faults.md
    #[arg(long, global = true, help_heading = STACK, env = "SLUICE_FAULTS", value_name = "aws|NAME,…[:SEED]")]
    pub faults: Option<String>,
    /// Lines in place of a screen that moves, as for a screen reader
    #[arg(long, global = true, help_heading = SPEECH, env = "SLUICE_PLAIN", value_parser = clap::builder::FalseyValueParser::new())]
    pub plain: bool,
    /// More log lines on stderr (twice: even more); the variable SLUICE_LOG, such as `info,operator=debug`, says exactly which
    #[arg(long, short = 'v', global = true, help_heading = SPEECH, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Whether a stack file is read at all
    #[arg(skip = true)]
    pub reads_file: bool,
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if (0.1..=100.0).contains(&scale) => Ok(scale),
        _ => Err("give a number from 0.1 to 100".to_owned()),
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("give KEY=VALUE".to_owned()),
    }
}

/// The targets of the same commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetName {
    /// Sluice's own local cloud; needs nothing
    Local,
    /// LocalStack in a container, or at --endpoint, and a cluster of yours
    Localstack,
    /// AWS itself; costs money
    Aws,
}

/// How a command speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text for a person
    Human,
    /// A versioned stream of JSON objects, one a line
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_declaration_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_time_scale_out_of_range_is_refused() {
        for text in ["0", "-1", "1000", "fast"] {
            assert!(Arguments::try_parse_from(["sluice", "status", "--time-scale", text]).is_err(), "{text}");
        }
    }
}
