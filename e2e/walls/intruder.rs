//! A stack with two pods: one that minds its own business, and one that tries to get out.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{LogParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use super::attempts::ALL;
use super::machine::{self, Seen};
use crate::workspace::{Ended, Workspace, ended, kill, wait_until};

/// Longer than any pod here needs on a busy machine.
const POD_LIMIT: Duration = Duration::from_mins(4);
const NAMESPACE: &str = "myproject";
/// The users that the intruder's containers are.
const USERS: [(&str, u32); 2] = [("root", 0), ("user", 1000)];
/// What the victims are called.
const VICTIMS: [&str; 11] =
    ["append", "truncate", "remove", "rename", "link", "take", "mode", "owner", "times", "old", "kept"];
const IMAGE: [&str; 4] = ["mode", "times", "read", "empty"];

/// What has become of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    Same,
    Changed,
}

/// What the attempts came to.
pub(super) struct Outcome {
    pub(super) came_off: Vec<String>,
    pub(super) tried: usize,
    pub(super) machine: Host,
    /// What `sluice status` says of it.
    pub(super) status: String,
}

/// `sluice up` with these walls, as this user, and everything tried. Behind walls the machine must be as it was.
/// None where these walls cannot be had.
pub(super) fn intrude(walls: &str, user: Option<u32>) -> Option<Outcome> {
    let scene = Scene::set(walls, user);
    let up = scene.sluice(&format!("up --run-image intruder={}/app/run", scene.out.display()));
    if up.code != Some(0) && up.stderr.contains("cannot be had on this machine") {
        println!("left out: {}", up.stderr.trim());
        return None;
    }
    up.with(0);
    let status = scene.sluice("status").with(0).stdout;
    let cluster = Cluster::of(&scene);
    cluster.create(&neighbour());
    let other =
        wait_until("the neighbour works", POD_LIMIT, || scene.neighbour()).unwrap_or_else(|why| panic!("{why}"));
    let stack = ["state.json", "credentials", "kubeconfig"].map(|name| scene.workspace.stack_file(name));
    let look = || machine::look(&scene.out, &[stack.as_slice(), &[other.join("volumes")]].concat());
    let before = look();
    cluster.create(&scene.intruder(walls, &other));
    let users = if walls == "none" { &USERS[..1] } else { &USERS };
    let said: Vec<String> = users.iter().map(|(name, _)| cluster.log_of(name)).collect();
    let after = look();
    let machine = evaluate(walls, &before, &after);
    let heard = scene.listeners.heard();
    assert!(walls == "none" || heard.is_empty(), "behind {walls} the pod reached {heard:?}");
    assert!(scene.host_process_lives(), "the process of the machine was ended");
    scene.sluice("down").with(0);
    let tried: Vec<_> = ALL.iter().filter(|one| one.can_be_tried()).collect();
    let mut came_off = Vec::new();
    for ((name, _), said) in users.iter().zip(&said) {
        assert!(said.contains("own files: yes"), "{name} cannot write its own files behind {walls}: {said}");
        let off = ALL.iter().enumerate().filter(|(number, _)| said.contains(&format!("@{number} came off\n")));
        let text = |what: &str| if walls == "none" { what.to_owned() } else { format!("{what}, as the pod's {name}") };
        came_off.extend(off.map(|(_, one)| text(one.what)));
    }
    Some(Outcome { came_off, tried: tried.len() * users.len(), machine, status })
}

#[track_caller]
fn evaluate(walls: &str, before: &Seen, after: &Seen) -> Host {
    let differences = machine::differences(before, after);
    assert!(walls == "none" || differences.is_empty(), "behind {walls} the pod changed {differences:#?}");
    if differences.is_empty() { Host::Same } else { Host::Changed }
}

/// Everything that the test has put there.
struct Scene {
    workspace: Workspace,
    out: PathBuf,
    program: PathBuf,
    user: Option<u32>,
    listeners: Listeners,
    host_process: u32,
}

impl Scene {
    fn set(walls: &str, user: Option<u32>) -> Self {
        let variables = [("SLUICE_LOCAL_WALLS", walls), ("SLUICE_TIME_SCALE", "30")];
        let workspace = Workspace::with(variables.map(|(name, value)| (name.to_owned(), value.into())).to_vec());
        let out = workspace.path().canonicalize().unwrap();
        for folder in ["victims/empty", "app", "bin", "home/.aws"] {
            std::fs::create_dir_all(out.join(folder)).unwrap();
        }
        let files = VICTIMS.map(|name| format!("victims/{name}")).into_iter();
        for file in files.chain(IMAGE.map(|name| format!("app/{name}"))).chain(["home/.aws/credentials".to_owned()]) {
            std::fs::write(out.join(file), "as it was\n").unwrap();
        }
        std::fs::write(out.join("app/run"), "#!/bin/sh\nexec sleep 1000\n").unwrap();
        std::fs::set_permissions(out.join("app/run"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = out.join("bin/sluice");
        std::fs::copy(env!("CARGO_BIN_EXE_sluice"), &program).unwrap();
        let listeners = Listeners::at(&out);
        if let Some(id) = user {
            let owner = format!("{id}:{id}");
            ended(Command::new("chown").args(["-R", &owner]).arg(&out)).with(0);
        }
        let mut scene = Self { workspace, out, program, user, listeners, host_process: 0 };
        scene.host_process = scene.start_host_process().id();
        scene
    }

    /// Any program, as the user who runs the product.
    fn command(&self, program: &Path) -> Command {
        let mut command = match self.user {
            None => Command::new(program),
            Some(id) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={id}"), format!("--regid={id}"), "--clear-groups".to_owned()]);
                command.arg(program);
                command
            }
        };
        self.workspace.at_home(&mut command);
        command
    }

    #[track_caller]
    fn sluice(&self, words: &str) -> Ended {
        ended(self.command(&self.program).args(words.split_whitespace()))
    }

    /// What the intruder may try to reach. It ends with the test's folder.
    fn start_host_process(&self) -> Child {
        self.command(Path::new("/bin/sleep")).arg("10000").stdout(Stdio::null()).spawn().unwrap()
    }

    fn host_process_lives(&self) -> bool {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", self.host_process)).unwrap_or_default();
        state.contains("(sleep) S")
    }

    /// The folder of the neighbour, once it has written its file.
    fn neighbour(&self) -> Option<PathBuf> {
        let pods = std::fs::read_dir(self.workspace.stack_file("pods")).ok()?;
        pods.flatten().map(|entry| entry.path()).find(|path| path.join("volumes/scratch/kept").exists())
    }

    /// Two containers that try everything: as the pod's root, and as a user in it.
    fn intruder(&self, walls: &str, other: &Path) -> Value {
        let stack = self.workspace.stack_file("");
        let variables = [
            ("OUT", self.out.clone()),
            ("STACK", self.out.join(stack.strip_prefix(self.workspace.path()).unwrap())),
            ("SLUICE", self.program.clone()),
            ("OTHER", other.to_owned()),
        ];
        let mut variables: Vec<_> =
            variables.iter().map(|(name, path)| json!({"name": name, "value": path.display().to_string()})).collect();
        variables.push(json!({"name": "HOST", "value": self.host_process.to_string()}));
        let users = if walls == "none" { &USERS[..1] } else { &USERS };
        let containers = users.iter().map(|(name, id)| {
            json!({"name": name, "image": "intruder", "command": ["/bin/sh", "-c", script(walls)], "env": variables,
                   "securityContext": {"runAsUser": id}})
        });
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "intruder"},
               "spec": {"restartPolicy": "Never", "containers": containers.collect::<Vec<_>>()}})
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        kill(self.host_process);
    }
}

/// All attempts, then what a pod may do.
fn script(walls: &str) -> String {
    let attempts = ALL.iter().enumerate().filter(|(_, one)| one.can_be_tried());
    let attempts = attempts.filter(|(_, one)| walls != "none" || one.is_harmless_without_walls());
    let lines: String = attempts.map(|(number, one)| one.line(number)).collect();
    // Places that a container has of its own, whose namesakes the machine has too.
    let own = match walls {
        "namespaces" => {
            "for place in /tmp /var/tmp /run /dev/shm /dev \"$HOME\"; do echo x > $place/mine || exit; done\n\
             echo x > /dev/termination-log && chmod 600 /tmp/mine && touch /tmp/mine || exit\n"
        }
        _ => "for place in \"$HOME\" \"$TMPDIR\"; do echo x > $place/mine || exit; done\n",
    };
    ["export MINE=\"$HOME\"\n", &lines, own, "echo own files: yes\necho tried all\n"].concat()
}

fn neighbour() -> Value {
    // By a variable, which is what names a volume where a pod has no file system of its own.
    let script = "echo kept > $SCRATCH/kept; exec sleep 1000";
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "neighbour"}, "spec": {
        "terminationGracePeriodSeconds": 0, "volumes": [{"name": "scratch", "emptyDir": {}}],
        "containers": [{"name": "c", "image": "intruder", "command": ["/bin/sh", "-c", script],
            "env": [{"name": "SCRATCH", "value": "/scratch"}], "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}]}})
}

/// Sockets of the machine that nobody in a pod has a reason to speak to.
struct Listeners {
    abstracted: UnixListener,
    named: UnixListener,
    datagrams: UnixDatagram,
}

impl Listeners {
    fn at(out: &Path) -> Self {
        let name = format!("sluice{}", out.display());
        let abstracted = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
        let named = UnixListener::bind(out.join("victims/socket")).unwrap();
        let datagrams = UnixDatagram::bind(out.join("victims/datagrams")).unwrap();
        for name in ["socket", "datagrams"] {
            let all = std::fs::Permissions::from_mode(0o777);
            std::fs::set_permissions(out.join("victims").join(name), all).unwrap();
        }
        abstracted.set_nonblocking(true).unwrap();
        named.set_nonblocking(true).unwrap();
        datagrams.set_nonblocking(true).unwrap();
        Self { abstracted, named, datagrams }
    }

    /// Those that somebody spoke to.
    fn heard(&self) -> Vec<&'static str> {
        let all = [
            ("a socket without a path", self.abstracted.accept().is_ok()),
            ("a socket in the file system", self.named.accept().is_ok()),
            ("a socket for datagrams", self.datagrams.recv(&mut [0; 8]).is_ok()),
        ];
        all.into_iter().filter(|(_, heard)| *heard).map(|(name, _)| name).collect()
    }
}

/// The local cluster, as any client has it.
struct Cluster {
    runtime: tokio::runtime::Runtime,
    pods: Api<Pod>,
}

impl Cluster {
    fn of(scene: &Scene) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let file = Kubeconfig::read_from(scene.workspace.stack_file("kubeconfig")).unwrap();
            let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
            Client::try_from(config).unwrap()
        });
        Self { runtime, pods: Api::namespaced(client, NAMESPACE) }
    }

    fn create(&self, pod: &Value) {
        let pod: Pod = serde_json::from_value(pod.clone()).unwrap();
        self.runtime.block_on(self.pods.create(&PostParams::default(), &pod)).unwrap();
    }

    /// All that a container of the intruder has said, once it has tried everything.
    fn log_of(&self, container: &str) -> String {
        let which = LogParams { container: Some(container.to_owned()), ..LogParams::default() };
        let mut said = String::new();
        let done = wait_until("the intruder has ended", POD_LIMIT, || {
            said = self.runtime.block_on(self.pods.logs("intruder", &which)).unwrap_or_default();
            let status = self.runtime.block_on(self.pods.get("intruder")).ok()?.status?;
            let all = status.container_statuses.unwrap_or_default();
            let ended = all.into_iter().find(|one| one.name == container)?.state?.terminated;
            (ended.is_some() && !said.is_empty()).then_some(())
        });
        done.unwrap_or_else(|why| panic!("{why}: {said}"));
        assert!(said.contains("tried all"), "the intruder has given up: {said}");
        said
    }
}
