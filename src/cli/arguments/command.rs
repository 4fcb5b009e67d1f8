//! The commands, in groups by what each needs to be given. A new command belongs to one of them, and whoever dispatches the
//! group does not compile until it says what becomes of it.

use std::path::PathBuf;

use clap::Subcommand;

use super::image::Image;
use super::pods::{Chart, Manifests, Operator, OperatorCommand, Reach, Worker};
use super::{
    Demo, Down, Evidence, Exec, Explain, Identity, Init, Kubeconfig, LocalRun, Outputs, Plan, Policy, Preflight, Send,
    Token, Up, Verify, Watch, Workshop,
};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Those that change the stack
    #[command(flatten)]
    Mutating(Mutating),
    /// Those that look at the stack, whether it is up or not
    #[command(flatten)]
    ReadOnly(ReadOnly),
    /// Those that show what is recorded or seen, and start nothing for it
    #[command(flatten)]
    Recorded(Recorded),
    /// Those that need the stack to be up
    #[command(flatten)]
    Present(Present),
    /// The guided walkthrough: list its pages, or walk, check and solve the steps of one
    Workshop(Workshop),
    /// Look at what runs recorded
    #[command(subcommand)]
    Evidence(Evidence),
    /// Run the local cloud by itself, for aws, kubectl, boto3 and terraform
    #[command(subcommand)]
    Local(Local),
    /// Make this program a container image: into a file or to a registry
    #[command(subcommand)]
    Image(Image),
    /// Those that run inside pods
    #[command(flatten)]
    InPod(InPod),
}

/// The commands that change the stack.
#[derive(Debug, Subcommand)]
pub enum Mutating {
    /// Provision, deploy, send, prove 0 → 3 → 0, write a report, tear down (6 where the stack is up already)
    Demo(Demo),
    /// Provision the cloud's resources and deploy the operator and the consumer
    Up(Up),
    /// Destroy everything, then audit that nothing is left
    Down(Down),
}

/// The commands that look at the stack by a cloud that is started for the look if none runs.
#[derive(Debug, Subcommand)]
pub enum ReadOnly {
    /// Show what `up` would change
    Plan(Plan),
    /// Say what would keep `up` from coming to its end, all of it with its repair (6 if anything would)
    Preflight(Preflight),
    /// Show the resource graph (Mermaid)
    Graph,
    /// List everything that exists of this stack, by tag and by name (5 if there is more than this folder's state records)
    Audit,
}

/// The commands that show what is recorded or seen, as far as it can be read.
#[derive(Debug, Subcommand)]
pub enum Recorded {
    /// Show on one screen what is up (starts and changes nothing; 1 if a part cannot be read)
    Status,
    /// Show the stack's outputs
    Outputs(Outputs),
    /// Say why it scaled: what happened, each effect with its cause
    Explain(Explain),
    /// Print shell exports for aws, kubectl, boto3 and terraform
    Env,
    /// Print the IAM policy that whoever runs `up`, `verify` and `down` needs, and nothing beyond
    Policy(Policy),
    /// Show who reads and consumes each queue as whom, and which statement refuses (4 if a chain does not hold)
    Identity(Identity),
}

/// The commands that need the stack to be up.
#[derive(Debug, Subcommand)]
pub enum Present {
    /// Show where reality differs from the state
    Drift,
    /// Run scenarios against what is up, or evaluate a recorded run again
    Verify(Verify),
    /// Put messages on the queue
    Send(Send),
    /// Watch the queue, the replicas, and each decision of the operator and the HPA
    Watch(Watch),
    /// Print or write the kubeconfig
    Kubeconfig(Kubeconfig),
    /// Print an EKS token as an exec credential (called by kubectl; --output json makes it an event)
    Token(Token),
}

/// `local`.
#[derive(Debug, Subcommand)]
pub enum Local {
    /// The local cloud
    #[command(flatten)]
    Cloud(LocalCloud),
    /// The containers of its pods
    #[command(flatten)]
    Container(Container),
}

/// The local cloud by itself.
#[derive(Debug, Subcommand)]
pub enum LocalCloud {
    /// Start it in the background
    Start(LocalRun),
    /// Run it in this process until it is stopped
    Run(LocalRun),
    /// End it, with everything that runs in it
    Stop,
    /// Say whether it runs, and where
    Status,
}

/// What becomes a container's process: the node agent calls it, and it must have no threads yet.
#[derive(Debug, Subcommand)]
pub enum Container {
    /// Become a container's program (called by the node agent)
    #[command(hide = true)]
    Exec(Exec),
    /// Be the first process of a container (called by `exec`)
    #[command(hide = true)]
    Init(Init),
}

/// The programs inside pods.
#[derive(Debug, Subcommand)]
pub enum InPod {
    /// Say whether something listens at a URL (inside a pod, before anything is made)
    #[command(hide = true)]
    Reach(Reach),
    /// Run the operator (inside its pod; its settings are KEDA's environment variables), or print its manifests
    Operator(Operator),
    /// Run the sample consumer (inside its pod)
    Worker(Worker),
}

/// A command by what it needs before it begins.
#[derive(Debug)]
pub(crate) enum Need {
    /// A process that has no threads yet.
    NoThreads(Container),
    /// No stack.
    NoStack(Stackless),
    /// A stack.
    Stack(OnStack),
}

/// What runs inside pods, and the making of their image.
#[derive(Debug)]
pub(crate) enum Stackless {
    Evidence(Evidence),
    Image(Image),
    Reach(Reach),
    Operator(Operator),
    Worker(Worker),
}

/// What works on a stack.
#[derive(Debug)]
pub(crate) enum OnStack {
    Mutating(Mutating),
    ReadOnly(ReadOnly),
    Recorded(Recorded),
    Present(Present),
    /// `verify --evidence`: the file, and the seal that it must have.
    Evaluate(PathBuf, Option<String>),
    Workshop(Workshop),
    Local(LocalCloud),
    /// `operator manifests`.
    Manifests(Manifests),
    /// `operator chart`.
    Chart(Chart),
}

impl Command {
    /// What it needs before it begins.
    pub(crate) fn need(self) -> Need {
        match self {
            Self::Mutating(command) => Need::Stack(OnStack::Mutating(command)),
            Self::ReadOnly(command) => Need::Stack(OnStack::ReadOnly(command)),
            Self::Recorded(command) => Need::Stack(OnStack::Recorded(command)),
            Self::Present(Present::Verify(Verify { evidence: Some(evidence), seal, proof: _ })) => {
                Need::Stack(OnStack::Evaluate(evidence, seal))
            }
            Self::Present(command) => Need::Stack(OnStack::Present(command)),
            Self::Workshop(wanted) => Need::Stack(OnStack::Workshop(wanted)),
            Self::Local(Local::Cloud(command)) => Need::Stack(OnStack::Local(command)),
            Self::Local(Local::Container(command)) => Need::NoThreads(command),
            Self::Evidence(wanted) => Need::NoStack(Stackless::Evidence(wanted)),
            Self::Image(image) => Need::NoStack(Stackless::Image(image)),
            Self::InPod(InPod::Reach(wanted)) => Need::NoStack(Stackless::Reach(wanted)),
            Self::InPod(InPod::Operator(running @ Operator { command: None, .. })) => {
                Need::NoStack(Stackless::Operator(running))
            }
            Self::InPod(InPod::Operator(Operator { command: Some(OperatorCommand::Manifests(wanted)), .. })) => {
                Need::Stack(OnStack::Manifests(wanted))
            }
            Self::InPod(InPod::Operator(Operator { command: Some(OperatorCommand::Chart(wanted)), .. })) => {
                Need::Stack(OnStack::Chart(wanted))
            }
            Self::InPod(InPod::Worker(worker)) => Need::NoStack(Stackless::Worker(worker)),
        }
    }
}

/// How a command lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// It does its work and ends; a person waits for it.
    Errand,
    /// It runs until a signal, its ordinary end.
    Service,
    /// The same inside a pod, whose log programs read.
    PodService,
}

impl Need {
    pub(crate) fn life(&self) -> Life {
        match self {
            Self::NoStack(Stackless::Operator(_) | Stackless::Worker(_)) => Life::PodService,
            Self::Stack(OnStack::Local(LocalCloud::Run(_))) => Life::Service,
            Self::NoThreads(_)
            | Self::NoStack(Stackless::Evidence(_) | Stackless::Image(_) | Stackless::Reach(_))
            | Self::Stack(
                OnStack::Mutating(_)
                | OnStack::ReadOnly(_)
                | OnStack::Recorded(_)
                | OnStack::Present(_)
                | OnStack::Evaluate(..)
                | OnStack::Workshop(_)
                | OnStack::Manifests(_)
                | OnStack::Chart(_)
                | OnStack::Local(LocalCloud::Start(_) | LocalCloud::Stop | LocalCloud::Status),
            ) => Life::Errand,
        }
    }
}
