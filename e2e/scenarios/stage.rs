//! One target with the stack up on it: what scenarios act on, and how long they wait.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::scenarios::aggregation::log_length;
use crate::scenarios::clients::{Access, Clients, OPERATOR, Replicas, WORKLOAD};
use crate::scenarios::env;
use crate::scenarios::suite::Suite;
use crate::workspace::{Ended, Workspace, ended, signal, wait_until};

/// Real time that a busy machine may need on top of anything.
const REAL_SLACK: Duration = Duration::from_mins(1);
/// The scenario `tutorial` in real time, with its deadlines.
const VERIFY_LIMIT: Duration = Duration::from_mins(20);
const AT_REST: Replicas = Replicas { desired: 0, current: 0, ready: 0 };

pub(crate) struct Stage {
    pub(crate) suite: Suite,
    pub(crate) workspace: Workspace,
    clients: RefCell<Option<std::rc::Rc<Clients>>>,
    /// Whether the scenario `tutorial` has passed here, so that a refusal afterwards has one cause.
    pub(crate) proven: Cell<bool>,
    /// Where the API server's log stood when the stack had come up.
    pub(crate) log_begins: Cell<Option<u64>>,
    notes: RefCell<Vec<String>>,
    /// Of the local target's audit log; what lies in the workspace would count as left over.
    logs: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn new(suite: Suite) -> Self {
        let context = suite.is_real_kubernetes().then(current_context);
        let workspace = Workspace::with(suite.variables(context.as_deref()));
        workspace.write("stack.yaml", suite.stack_file());
        Self {
            suite,
            workspace,
            clients: RefCell::default(),
            proven: Cell::new(false),
            log_begins: Cell::new(None),
            notes: RefCell::default(),
            logs: tempfile::tempdir().unwrap(),
        }
    }

    /// `sluice up`, with what has to be started before it.
    #[track_caller]
    pub(crate) fn raise(&self) {
        if self.suite == Suite::Local {
            let mut command = self.workspace.sluice("local start --audit-log-path");
            ended(command.arg(self.audit_log().unwrap())).with(0);
        }
        if self.suite == Suite::Kubernetes {
            let (bind, trust) = (env::text(env::BIND).unwrap(), env::text(env::TRUST).unwrap());
            let trust = std::path::absolute(trust).unwrap().display().to_string();
            let mut command = self.workspace.sluice("local start --bind");
            ended(command.args([&bind, "--trust", &trust])).with(0);
        }
        self.up("");
        self.log_begins.set(log_length().filter(|_| self.suite.is_real_kubernetes()));
    }

    /// `sluice down`. Where the stack came up is remembered: nobody names the cluster again.
    #[track_caller]
    pub(crate) fn lower(&self) {
        let down = ended(self.workspace.sluice("down --yes").env_remove("SLUICE_CONTEXT")).with(0);
        assert!(down.stdout.contains("nothing of this stack is left"), "{}", down.stdout);
    }

    /// `sluice up` with these words. What is remembered of endpoints is forgotten: a new container has another port.
    #[track_caller]
    pub(crate) fn up(&self, words: &str) {
        self.workspace.run(&format!("up --yes {words}")).with(0);
        *self.clients.borrow_mut() = None;
    }

    /// The stock clients of this target.
    pub(crate) fn clients(&self) -> std::rc::Rc<Clients> {
        let mut clients = self.clients.borrow_mut();
        let made = clients.get_or_insert_with(|| {
            let kubeconfig = match self.suite {
                Suite::Local => self.workspace.stack_file("kubeconfig"),
                Suite::Kubernetes | Suite::Localstack => env::get(env::KUBECONFIG).unwrap().into(),
            };
            std::rc::Rc::new(Clients::new(&kubeconfig, None, &self.access()))
        });
        std::rc::Rc::clone(made)
    }

    /// Where AWS is and with which key, as `sluice env` gives it to any shell.
    pub(crate) fn access(&self) -> Access {
        access_of(&self.workspace)
    }

    #[track_caller]
    pub(crate) fn queue_url(&self) -> String {
        self.workspace.run("outputs queue_url").with(0).stdout.trim().to_owned()
    }

    /// Waits until there is something; `system` seconds are shorter where time is faster.
    pub(crate) fn until<T>(&self, what: &str, system: u64, look: impl FnMut() -> Option<T>) -> Result<T, String> {
        wait_until(what, self.real(system) + REAL_SLACK, look)
    }

    /// The same; that it never came fails the scenario.
    #[track_caller]
    pub(crate) fn expect<T>(&self, what: &str, system: u64, look: impl FnMut() -> Option<T>) -> T {
        self.until(what, system, look).unwrap_or_else(|why| panic!("{why}"))
    }

    /// Real time of so many seconds of the system's time.
    pub(crate) fn real(&self, system: u64) -> Duration {
        Duration::from_secs_f64(system as f64 / self.suite.time_scale())
    }

    /// The system's seconds that pass in so many real ones.
    pub(crate) fn system(&self, real: u64) -> u64 {
        (real as f64 * self.suite.time_scale()) as u64
    }

    /// Replicas, pods and queue are at zero.
    #[track_caller]
    pub(crate) fn comes_to_rest(&self) {
        let (clients, url) = (self.clients(), self.queue_url());
        let mut seen = String::new();
        let rested = self.until("queue, replicas and pods are at zero", 900, || {
            let (queue, replicas) = (clients.queue(&url), clients.replicas());
            let pods = clients.pods(WORKLOAD).map(|pods| pods.len());
            seen = format!("queue {queue:?}, replicas {replicas:?}, pods {pods:?}");
            (queue == Ok((0, 0)) && replicas == Ok(AT_REST) && pods == Ok(0)).then_some(())
        });
        rested.unwrap_or_else(|why| panic!("{why}; {seen}"));
    }

    /// The ScaledObject says so.
    #[track_caller]
    pub(crate) fn is_ready(&self) {
        let clients = self.clients();
        let mut seen = None;
        let ready = self.until("the ScaledObject is ready", 300, || {
            seen = Some(clients.condition("Ready"));
            matches!(&seen, Some(Ok(condition)) if condition.status == "True").then_some(())
        });
        ready.unwrap_or_else(|why| panic!("{why}; {seen:?}"));
    }

    /// The operator's pod, once there is exactly one and it is ready.
    #[track_caller]
    pub(crate) fn operator(&self) -> String {
        let clients = self.clients();
        self.expect("one operator is ready", 120, || {
            let pods = clients.pods(OPERATOR).ok()?;
            let [pod] = pods.as_slice() else { return None };
            let conditions = pod.status.as_ref()?.conditions.as_ref()?;
            let is_ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
            is_ready.then(|| pod.metadata.name.clone())?
        })
    }

    /// The process that answers for Kubernetes here, or what to set so that it is known.
    pub(crate) fn api_server(&self) -> Result<u32, String> {
        let pid =
            |path: PathBuf| std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()));
        if self.suite == Suite::Local {
            let record: Value = serde_json::from_str(&pid(self.workspace.stack_file("local.json"))?).unwrap();
            return Ok(u32::try_from(record["pid"].as_u64().unwrap()).unwrap());
        }
        let file = env::get(env::APISERVER).ok_or_else(|| format!("set {}", env::APISERVER))?;
        pid(file.into())?.trim().parse().map_err(|error| format!("{}: {error}", env::APISERVER))
    }

    /// The API server's audit log, or what to set so that it is known.
    pub(crate) fn audit_log(&self) -> Result<PathBuf, String> {
        if self.suite == Suite::Local {
            return Ok(self.logs.path().join("audit.log"));
        }
        env::get(env::AUDIT_LOG).map(PathBuf::from).ok_or_else(|| format!("set {}", env::AUDIT_LOG))
    }

    /// A lease that no outage of a scenario outlasts, and what a leader tries to renew it for; both in the system's time.
    pub(crate) fn long_lease(&self) -> [String; 2] {
        [900, 600].map(|seconds| format!("{}s", self.system(seconds)))
    }

    /// The API server does not answer for so many seconds of the system's time.
    #[track_caller]
    pub(crate) fn api_server_is_away(&self, system: u64) {
        let pid = self.api_server().unwrap();
        signal(pid, "-STOP");
        // The length of the outage is what is tested here; nothing is awaited.
        let over = wait_until::<()>("the outage is over", self.real(system), || None);
        signal(pid, "-CONT");
        assert!(over.is_err());
    }

    /// The queue is lost: deleted, or with everything else that a restarted LocalStack forgets.
    #[track_caller]
    pub(crate) fn loses_its_queue(&self) {
        if self.suite == Suite::Localstack {
            ended(Command::new("docker").args(["restart", "--time", "1", "sluice-e2e-localstack"])).with(0);
        } else {
            self.clients().delete_queue(&self.queue_url()).unwrap();
        }
    }

    /// `sluice verify`, ended with this code.
    #[track_caller]
    pub(crate) fn verify(&self, code: i32) -> Ended {
        self.workspace.run_within("verify", VERIFY_LIMIT).with(code)
    }

    /// What the last `verify` reported.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        let folder = if self.suite == Suite::Localstack { "e2e@localstack" } else { "e2e" };
        let path = self.workspace.path().join(".sluice").join(folder).join("report/report.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Something for the suite's table.
    pub(crate) fn note(&self, text: String) {
        self.notes.borrow_mut().push(text);
    }

    pub(crate) fn take_notes(&self) -> String {
        self.notes.take().join("; ")
    }

    /// What a person would look at after a failure.
    pub(crate) fn describe(&self) -> String {
        let status = self.workspace.run("status");
        let mut text = format!("{}{}", status.stdout, status.stderr);
        let clients = self.clients();
        for whose in [OPERATOR, WORKLOAD] {
            for pod in clients.pods(whose).unwrap_or_default() {
                let name = pod.metadata.name.unwrap_or_default();
                let log = clients.log_end(whose.0, &name).unwrap_or_else(|error| error);
                text += &["\n--- ", &name, "\n", &log].concat();
            }
        }
        text
    }
}

fn current_context() -> String {
    let file = env::get(env::KUBECONFIG).unwrap();
    let kubeconfig = kube::config::Kubeconfig::read_from(PathBuf::from(file)).unwrap();
    kubeconfig.current_context.expect("the kubeconfig has a current context")
}

/// Where AWS is and with which key, as `sluice env` gives it to any shell in that folder.
#[track_caller]
pub(crate) fn access_of(workspace: &Workspace) -> Access {
    let said = workspace.run("env --output json").with(0);
    let mut events = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found = events.find(|event| event["type"] == "environment").unwrap_or_else(|| panic!("{}", said.stdout));
    let text = |name: &str| found["variables"][name].as_str().map(str::to_owned);
    let keys = text("AWS_SHARED_CREDENTIALS_FILE").map(|file| std::fs::read_to_string(file).unwrap());
    let key = |name: &str, variable: &str| {
        let line = keys.as_deref().and_then(|keys| keys.lines().find_map(|line| line.strip_prefix(name)));
        let value = line.map(|rest| rest.trim_start_matches([' ', '=']).to_owned());
        value.or_else(|| text(variable)).unwrap()
    };
    Access {
        endpoint: text("AWS_ENDPOINT_URL").unwrap(),
        region: text("AWS_REGION").unwrap(),
        key_id: key("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
        secret: key("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    }
}
