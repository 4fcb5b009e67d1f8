//! What can be typed. These types hold words, not meaning; `settings` turns them into what a command works with.

pub mod image;
pub mod pods;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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

/// Where to work and how to speak.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The stack file; `stack.yaml` in this folder if it is there, otherwise all defaults
    #[arg(long, short = 'f', global = true, env = "SLUICE_FILE", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Where to work
    #[arg(long, short = 't', global = true, env = "SLUICE_TARGET", value_enum, default_value_t = TargetName::Local)]
    pub target: TargetName,
    /// Text for a person, or one JSON object a line
    #[arg(long, short = 'o', global = true, env = "SLUICE_OUTPUT", value_enum, default_value_t = Output::Human)]
    pub output: Output,
    /// The stack's name, and its cluster's
    #[arg(long, global = true, env = "SLUICE_STACK", value_name = "NAME")]
    pub stack: Option<String>,
    /// Set a key of the stack file, such as `workloads[0].scaling.maxReplicaCount=5`; may be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// The AWS region
    #[arg(long, global = true, env = "AWS_REGION", value_name = "REGION")]
    pub region: Option<String>,
    /// A cluster of yours, by its context in the kubeconfig, instead of one on EKS
    #[arg(long, global = true, env = "SLUICE_CONTEXT", value_name = "CONTEXT")]
    pub context: Option<String>,
    /// LocalStack's endpoint; without it a container is started
    #[arg(long, global = true, env = "SLUICE_ENDPOINT", value_name = "URL")]
    pub endpoint: Option<String>,
    /// The AWS endpoint as pods of your cluster see it
    #[arg(long, global = true, env = "SLUICE_ENDPOINT_FOR_PODS", value_name = "URL")]
    pub endpoint_for_pods: Option<String>,
    /// The image of operator and consumer
    #[arg(long = "image", global = true, env = "SLUICE_IMAGE", value_name = "NAME:TAG")]
    pub pod_image: Option<String>,
    /// LocalStack's image
    #[arg(long, global = true, env = "SLUICE_LOCALSTACK_IMAGE", value_name = "NAME:TAG")]
    pub localstack_image: Option<String>,
    /// The folder for state, evidence and reports
    #[arg(long, global = true, env = "SLUICE_DIRECTORY", value_name = "FOLDER", default_value = ".sluice")]
    pub directory: PathBuf,
    /// How many times faster time runs on the local target; 1 is real time [default: 30, and 1 with a cluster of yours]
    #[arg(long, global = true, env = "SLUICE_TIME_SCALE", value_name = "N", value_parser = time_scale)]
    pub time_scale: Option<f64>,
    /// More log lines on stderr (twice: even more)
    #[arg(long, short = 'v', global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
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

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Provision, deploy, send, prove 0 → 3 → 0, write a report, tear down (6 where the stack is up already)
    Demo(Demo),
    /// Show what `up` would change
    Plan(Plan),
    /// Provision the cloud's resources and deploy the operator and the consumer
    Up(Up),
    /// Destroy everything, then audit that nothing is left
    Down(Down),
    /// Show on one screen what is up (starts and changes nothing; 1 if a part cannot be read)
    Status,
    /// Show the stack's outputs
    Outputs(Outputs),
    /// Show where reality differs from the state
    Drift,
    /// Show the resource graph (Mermaid)
    Graph,
    /// List everything that exists of this stack, by tag and by name
    Audit,
    /// Run scenarios against what is up, or evaluate a recorded run again
    Verify(Verify),
    /// Put messages on the queue
    Send(Send),
    /// Watch the queue, the replicas, and each decision of the operator and the HPA
    Watch(Watch),
    /// Say why it scaled: what happened, each effect with its cause
    Explain(Explain),
    /// The guided walkthrough: list its pages, or walk, check and solve the steps of one
    Workshop(Workshop),
    /// Run the local cloud by itself, for aws, kubectl, boto3 and terraform
    #[command(subcommand)]
    Local(Local),
    /// Print shell exports for aws, kubectl, boto3 and terraform
    Env,
    /// Print or write the kubeconfig
    Kubeconfig(Kubeconfig),
    /// Print an EKS token as an exec credential (called by kubectl; --output json makes it an event)
    Token(Token),
    /// Make this program a container image: into a file or to a registry
    #[command(subcommand)]
    Image(image::Image),
    /// Say whether something listens at a URL (inside a pod, before anything is made)
    #[command(hide = true)]
    Reach(pods::Reach),
    /// Run the operator (inside its pod; its settings are KEDA's environment variables), or print its manifests
    Operator(pods::Operator),
    /// Run the sample consumer (inside its pod)
    Worker(pods::Worker),
}

impl Command {
    /// Whether it runs inside a pod for as long as the pod lives.
    pub(crate) fn is_in_pod(&self) -> bool {
        match self {
            Self::Operator(operator) => operator.command.is_none(),
            other => matches!(other, Self::Worker(_)),
        }
    }

    /// Whether a signal is its ordinary end.
    pub(crate) fn is_service(&self) -> bool {
        self.is_in_pod() || matches!(self, Self::Local(Local::Run(_)))
    }
}

/// `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Exit with 3 if changes are pending
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Show the plan of `down` instead
    #[arg(long, conflicts_with = "run")]
    pub destroy: bool,
    /// Remove namespaces and definitions that hold objects of others as well, with these objects; without it they are kept
    #[arg(long)]
    pub remove_foreign: bool,
    /// The programs that stand for images
    #[command(flatten)]
    pub images: Programs,
}

/// `up`.
#[derive(Debug, Args)]
pub struct Up {
    /// Do not ask (on the local target nothing is asked)
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// First send this program to the registry of --image, with the credentials of `docker login`
    #[arg(long)]
    pub push: bool,
    /// Remove namespaces and definitions that hold objects of others as well, with these objects; without it they are kept
    #[arg(long)]
    pub remove_foreign: bool,
    /// The programs that stand for images
    #[command(flatten)]
    pub images: Programs,
}

/// `down`.
#[derive(Debug, Args)]
pub struct Down {
    /// Do not ask (on the local target nothing is asked)
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Remove namespaces and definitions that hold objects of others as well, with these objects; without it they are kept
    #[arg(long)]
    pub remove_foreign: bool,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// What is proved
    #[command(flatten)]
    pub proof: Proof,
    /// Evaluate this recorded evidence again instead of running
    #[arg(long, value_name = "FILE", conflicts_with_all = ["messages", "workloads"])]
    pub evidence: Option<PathBuf>,
}

/// What is proved, of whom.
#[derive(Debug, Args)]
pub struct Proof {
    /// The scenarios to run
    #[arg(value_name = "SCENARIO", default_value = "tutorial")]
    pub scenarios: Vec<String>,
    /// Only this workload of the stack; may be repeated [default: each in turn]
    #[arg(long = "workload", value_name = "NAME")]
    pub workloads: Vec<String>,
    /// How many messages to send [default: as many as call for the maximum of replicas]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub messages: Option<u32>,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// What is proved
    #[command(flatten)]
    pub proof: Proof,
    /// Do not ask before up and down (on the local target nothing is asked)
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// First send this program to the registry of --image, with the credentials of `docker login`
    #[arg(long)]
    pub push: bool,
    /// The programs that stand for images
    #[command(flatten)]
    pub images: Programs,
}

/// `outputs`.
#[derive(Debug, Args)]
pub struct Outputs {
    /// Only this one, without its name
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Every key of the stack file with its value and where that came from, instead
    #[arg(long, conflicts_with = "name")]
    pub stack_file: bool,
}

/// `send`.
#[derive(Debug, Args)]
pub struct Send {
    /// How many messages
    #[arg(value_name = "COUNT", default_value_t = 1, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
    /// Messages per second of system time; all at once if not given
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Onto the queue of this workload [default: the stack's first]
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// The body; `{n}` is replaced by the message's number
    #[arg(long, value_name = "TEXT", default_value = "message {n}")]
    pub body: String,
}

/// `watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// End after this many seconds of real time; otherwise on Ctrl-C
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<u64>,
    /// Only this workload of the stack; may be repeated [default: all]
    #[arg(long = "workload", value_name = "NAME")]
    pub workloads: Vec<String>,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// This workload of the stack [default: the first, or whose evidence is the newest]
    #[arg(long, value_name = "NAME", conflicts_with = "evidence")]
    pub workload: Option<String>,
    /// A recorded run's evidence; the newest of this stack if not given
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
}

/// `workshop`.
#[derive(Debug, Args)]
pub struct Workshop {
    /// The page; all pages are listed without it
    #[arg(value_name = "PAGE")]
    pub page: Option<u32>,
    /// What to do with it; walked on a terminal and shown elsewhere if not given
    #[arg(value_name = "ACTION", value_enum)]
    pub action: Option<Practice>,
    /// The step, from 1
    #[arg(value_name = "STEP")]
    pub step: Option<usize>,
    /// Leave out the steps that call this program; may be repeated
    #[arg(long, value_name = "PROGRAM")]
    pub without: Vec<String>,
}

/// What can be done with a page of the workshop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Practice {
    /// Read it, with its steps numbered
    Show,
    /// Go through it step by step, asking before each
    Walk,
    /// Do everything that comes before STEP
    Setup,
    /// Do STEP and compare with what the page promises
    Check,
    /// Say what STEP is expected to show
    Hint,
    /// Do everything up to STEP, or all, and compare each
    Solve,
    /// Take down what the page has put up
    Reset,
}

/// `local`.
#[derive(Debug, Subcommand)]
pub enum Local {
    /// Start it in the background
    Start(LocalRun),
    /// Run it in this process until it is stopped
    Run(LocalRun),
    /// End it, with everything that runs in it
    Stop,
    /// Say whether it runs, and where
    Status,
    /// Become a container's program (called by the node agent)
    #[command(hide = true)]
    Exec(Exec),
    /// Be the first process of a container (called by `exec`)
    #[command(hide = true)]
    Init(Init),
}

/// How to run the local cloud.
#[derive(Debug, Clone, Default, Args)]
pub struct LocalRun {
    /// The port of the AWS endpoint; a free one if it is 0 or not given
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// The address of the AWS endpoint; loopback if not given, and whoever can reach another may try keys there
    #[arg(long, value_name = "ADDRESS")]
    pub bind: Option<std::net::IpAddr>,
    /// Certificates (PEM) by which issuers of web identity tokens are trusted, besides those of its own clusters
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// The programs that stand for images
    #[command(flatten)]
    pub images: Programs,
    /// The programs that stand for images have been written down already (given by `local start`)
    #[arg(long, hide = true)]
    pub mapped: bool,
}

/// The programs that stand for images on the local target.
#[derive(Debug, Clone, Default, Args)]
pub struct Programs {
    /// Run containers of IMAGE as this program of this machine (local target); may be repeated
    ///
    /// IMAGE is a whole reference, a repository (all of its tags), or the last part of its name; PROGRAM is a path, seen
    /// from the current folder. `images:` in the stack file does the same for good.
    #[arg(long = "run-image", value_name = "IMAGE=PROGRAM", value_parser = image)]
    pub run: Vec<(String, PathBuf)>,
}

fn image(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, program)) if !name.is_empty() && !program.is_empty() => Ok((name.to_owned(), program.into())),
        _ => Err("give IMAGE=PROGRAM".to_owned()),
    }
}

/// `local exec`.
#[derive(Debug, Args)]
pub struct Exec {
    /// The process whose end ends this one
    #[arg(long)]
    pub parent: i32,
    /// The container's description
    #[arg(long, value_name = "FILE")]
    pub spec: PathBuf,
    /// Run one more program in the container that this process was started for
    #[arg(long, value_name = "PROCESS")]
    pub enter: Option<i32>,
    /// Program and arguments
    #[arg(last = true, required = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// `local init`.
#[derive(Debug, Args)]
pub struct Init {
    /// Program and arguments
    #[arg(last = true, required = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// `kubeconfig`.
#[derive(Debug, Args)]
pub struct Kubeconfig {
    /// Write it here instead of printing it
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
}

/// `token`.
#[derive(Debug, Args)]
pub struct Token {
    /// The cluster; the stack's own if not given
    #[arg(long, value_name = "NAME")]
    pub cluster_name: Option<String>,
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
