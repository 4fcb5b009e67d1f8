//! The words of the commands that work on a stack.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::pods::account_id;

/// `plan`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct Plan {
    /// Exit with 3 if changes are pending
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Show every field of every resource, not one line for each
    #[arg(long)]
    pub full: bool,
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

/// `preflight`.
#[derive(Debug, Args)]
pub struct Preflight {
    /// As if `up --push` followed: this program is sent to the registry of --image, so it need not be there
    #[arg(long)]
    pub push: bool,
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
    /// First send this program to the registry of --image: to ECR as whoever calls AWS, else as `docker login` says
    #[arg(long)]
    pub push: bool,
    /// A Linux build of sluice that --push sends in place of this program, such as one for Fargate's amd64
    #[arg(long, value_name = "FILE", requires = "push")]
    pub program: Option<PathBuf>,
    /// Remove namespaces and definitions that hold objects of others as well, with these objects; without it they are kept
    #[arg(long)]
    pub remove_foreign: bool,
    /// Record each request to AWS and its answer, without keys, tokens and ids, into a new file in this folder
    #[arg(long, value_name = "FOLDER")]
    pub record: Option<PathBuf>,
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
    /// Record each request to AWS and its answer, without keys, tokens and ids, into a new file in this folder
    #[arg(long, value_name = "FOLDER")]
    pub record: Option<PathBuf>,
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
    /// Refuse the evidence unless its last line has this seal, or one that begins with these 16 digits or more
    #[arg(long, requires = "evidence", value_parser = seal)]
    pub seal: Option<String>,
}

fn seal(text: &str) -> Result<String, String> {
    if (16..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a seal has 64 hexadecimal digits, of which the first 16 do".to_owned())
    }
}

/// `evidence`.
#[derive(Debug, Subcommand)]
pub enum Evidence {
    /// Compare two recorded runs, of two versions, settings or targets (4 where they do not show the same)
    Diff(Diff),
}

/// `evidence diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// The first run's evidence
    #[arg(value_name = "FILE")]
    pub first: PathBuf,
    /// The second run's evidence
    #[arg(value_name = "FILE")]
    pub second: PathBuf,
}

/// What is proved, of whom.
#[derive(Debug, Args)]
pub struct Proof {
    /// The scenarios to run: tutorial, jobs, or a scenario file by its path (FILE.yaml)
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
    /// First send this program to the registry of --image: to ECR as whoever calls AWS, else as `docker login` says
    #[arg(long)]
    pub push: bool,
    /// A Linux build of sluice that --push sends in place of this program, such as one for Fargate's amd64
    #[arg(long, value_name = "FILE", requires = "push")]
    pub program: Option<PathBuf>,
    /// Record each request to AWS and its answer, without keys, tokens and ids, into a new file in this folder
    #[arg(long, value_name = "FOLDER")]
    pub record: Option<PathBuf>,
    /// Take down what is up after so many hours, whatever is proved by then
    #[arg(long, value_name = "HOURS", default_value_t = 4.0, value_parser = hours)]
    pub max_hours: f64,
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

/// `policy`.
#[derive(Debug, Args)]
pub struct Policy {
    /// The AWS account; without it the policy serves in whichever account it is put into
    #[arg(long, value_name = "ID", value_parser = account_id)]
    pub account_id: Option<String>,
}

/// `identity`.
#[derive(Debug, Args)]
pub struct Identity {
    /// What the stack file declares, even if the stack is up
    #[arg(long)]
    pub declared: bool,
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
    /// The body, in which the message's number takes the place of an `n` in braces
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
    /// Append the audit log of the clusters to FILE, as `kube-apiserver` writes it: audit.k8s.io/v1 Events, one a line
    #[arg(long, value_name = "FILE")]
    pub audit_log_path: Option<PathBuf>,
    /// Append a record of each AWS call to FILE, in the shape of CloudTrail's, one a line
    #[arg(long, value_name = "FILE")]
    pub trail_path: Option<PathBuf>,
    /// Append each AWS request and answer to FILE, whole but for secrets, one exchange a line
    #[arg(long, value_name = "FILE")]
    pub wire_log_path: Option<PathBuf>,
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

/// A number of hours above zero and at most a week.
fn hours(text: &str) -> Result<f64, String> {
    let wanted = text.parse::<f64>().ok().filter(|wanted| *wanted > 0.0 && *wanted <= 168.0);
    wanted.ok_or_else(|| "it is no number of hours above 0 and up to 168".to_owned())
}
