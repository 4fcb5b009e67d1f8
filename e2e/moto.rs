//! Target `aws` from `up` to `down` on an EKS that nobody here wrote: moto's AWS, and a real Kubernetes behind the cluster's endpoint.
//!
//! `e2e/moto/proxy.py` stands between: it puts the real API server into moto's answers about the cluster, verifies EKS tokens for
//! it as EKS does, and gives the answers of `e2e/moto/answers.py`, by which AWS delays or refuses, on the wire.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::parity::client::Http;
use crate::scenarios::env;
use crate::wire::check;
use crate::workspace::{Workspace, ended, moment, wait_until};

const LIMIT: Duration = Duration::from_mins(15);
/// Where moto listens, and where the proxy does; the API server's token webhook is configured for the latter.
const MOTO: &str = "127.0.0.1:15997";
const PROXY_PORT: u16 = 15998;
const IMAGE: &str = "real.local/sluice:aws";

/// Answers that AWS may give while a stack is made, and in the second list while it is removed; each passes, and `up` and `down`
/// end well in one try.
const WHILE_MADE: [&str; 12] = [
    "cluster-role-without-policies",
    "cluster-role-must-include",
    "cluster-role-params",
    "cluster-role-trust",
    "cluster-unavailable",
    "issuer-unreachable",
    "role-concurrent",
    "role-policy-no-entity",
    "role-read-no-entity",
    "role-already-there",
    "profile-in-use",
    "attach-throttled",
];
const WHILE_REMOVED: [&str; 5] = [
    "role-delete-conflict",
    "role-delete-concurrent",
    "roles-throttled",
    "profile-delete-in-use",
    "cluster-not-found-otherwise",
];
/// Nobody asks for the role that may not be read.
const NEVER: &str = "foreign-role-refused";
/// It does not pass by itself: `down` ends with it at once, and says so.
const STAYS: &str = "cluster-protected";

/// A child that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended meanwhile is what was wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Stage {
    workspace: Workspace,
    kubeconfig: PathBuf,
    endpoint: String,
    http: Http,
    _programs: [Running; 2],
}

impl Stage {
    fn new(venv: &str, host: &str, authority: &str, kubeconfig: PathBuf) -> Self {
        let programs = PathBuf::from(venv);
        let (address, port) = MOTO.split_once(':').unwrap();
        let mut moto = Command::new(programs.join("moto_server"));
        moto.args(["-H", address, "-p", port]).env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true");
        let moto = Running(moto.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        wait_until("moto listens", LIMIT, || std::net::TcpStream::connect(MOTO).ok()).unwrap();
        let listen = format!("{host}:{PROXY_PORT}");
        let server = kubectl(&kubeconfig, "config view --minify -o jsonpath={.clusters[0].cluster.server}");
        let script = crate::tidy::root().join("e2e/moto/proxy.py");
        let mut proxy = Command::new(programs.join("python"));
        proxy.arg(script).args(["--moto", &format!("http://{MOTO}"), "--listen", &listen]);
        proxy.args(["--kubernetes", &server, "--ca", authority]).stdout(Stdio::piped());
        let mut proxy = Running(proxy.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(proxy.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let made: Value = serde_json::from_str(&line).unwrap();
        let endpoint = format!("http://{listen}");
        let variables = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("SLUICE_TARGET", "aws"),
            ("SLUICE_IMAGE", IMAGE),
        ];
        let workspace =
            Workspace::with(variables.map(|(name, value)| (name.to_owned(), OsString::from(value))).to_vec());
        let subnets: Vec<&str> = made["subnets"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        workspace.write(
            "stack.yaml",
            &format!(
                "region: eu-west-1\ncluster: {{ subnets: [{}] }}\nworkloads:\n\
                 - scaling: {{ pollingInterval: 2, cooldownPeriod: 12, scaleDownWindow: 22 }}\n  \
                 worker: {{ workSeconds: 6, waitSeconds: 5 }}\n  queue: {{ visibilityTimeout: 15 }}\n",
                subnets.join(", ")
            ),
        );
        let stage = Self { workspace, kubeconfig, endpoint, http: Http::new(""), _programs: [moto, proxy] };
        stage.apply(&webhook(&made));
        stage
    }

    fn apply(&self, object: &Value) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), object.to_string()).unwrap();
        kubectl(&self.kubeconfig, &format!("apply -f {}", file.path().display()));
    }

    /// The image, onto the node.
    fn load_image(&self) {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("image.tar");
        self.workspace.run(&format!("image save --name {IMAGE} {}", archive.display())).with(0);
        // What loads an image onto the cluster's node stands where `kind` would.
        let mut load = Command::new("kind");
        ended(load.args(["load", "image-archive"]).arg(&archive).args(["--name", "real"])).with(0);
    }

    fn own(&self, page: &str, body: &Value) -> Value {
        self.http.ask("POST", &format!("{}{page}", self.endpoint), &[], &body.to_string()).json().unwrap()
    }

    /// From now on these answers are given.
    fn inject(&self, names: &[&str]) {
        self.own("/_wire/inject", &json!(names));
    }

    /// Says how often each of these was given; one that was not proves nothing.
    fn given(&self, names: &[&str]) {
        let given = &self.own("/_wire/given", &Value::Null)["given"];
        for name in names {
            let times = given[*name].as_u64().unwrap_or_default();
            println!("moto: {name:<30} given {times} times, and passed");
            assert!(times > 0, "{name} was never given: {given}");
        }
    }

    /// What stock clients see of the stack: in AWS, in Kubernetes.
    fn left(&self) -> String {
        let aws = |words: &str| {
            let mut command = Command::new("aws");
            command.args(["--endpoint-url", &self.endpoint, "--region", "eu-west-1", "--output", "text"]);
            command.args(words.split_whitespace());
            self.workspace.at_home(&mut command);
            ended(&mut command).with(0).stdout
        };
        let mut left = String::new();
        for words in [
            "eks list-clusters --query clusters[]",
            "iam list-roles --query Roles[?starts_with(RoleName,'e2e')].RoleName",
            "iam list-open-id-connect-providers --query OpenIDConnectProviderList[].Arn",
            "sqs list-queues --query QueueUrls[]",
        ] {
            let said = aws(words);
            left += if said.trim() == "None" { "" } else { said.trim() };
        }
        for words in ["get namespaces -o name", "get customresourcedefinitions -o name", "get apiservices -o name"] {
            let said = kubectl(&self.kubeconfig, words);
            left.extend(said.lines().filter(|line| ["keda", "myproject"].iter().any(|of| line.contains(of))));
        }
        left
    }
}

fn kubectl(kubeconfig: &std::path::Path, words: &str) -> String {
    let mut command = Command::new("kubectl");
    ended(command.arg("--kubeconfig").arg(kubeconfig).args(words.split_whitespace())).with(0).stdout
}

/// What gives pods the address of AWS, as EKS's own webhook gives them their identity.
fn webhook(made: &Value) -> Value {
    use base64::Engine as _;
    let authority = base64::engine::general_purpose::STANDARD.encode(made["authority"].as_str().unwrap());
    let rule = json!({ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"] });
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": { "name": "pods-on-moto" },
        "webhooks": [{ "name": "pods.moto.example", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": { "url": made["webhook"], "caBundle": authority }, "rules": [rule] }],
    })
}

#[test]
fn the_target_aws_on_moto_and_a_real_kubernetes() {
    let needed = [env::MOTO, env::KUBECONFIG, env::BIND, env::TRUST];
    let missing: Vec<&str> = needed.into_iter().filter(|name| env::get(name).is_none()).collect();
    if !missing.is_empty() {
        let text = format!("moto: skipped; set {}", missing.join(", "));
        assert!(!env::is_required() || env::get(env::MOTO).is_none(), "{text}");
        println!("{text}");
        return;
    }
    let [venv, _, host, authority] = needed.map(|name| env::text(name).unwrap());
    let start = moment();
    let stage = Stage::new(&venv, &host, &authority, env::get(env::KUBECONFIG).unwrap().into());
    stage.load_image();

    stage.inject(&WHILE_MADE);
    stage.workspace.run_within("up --yes", LIMIT).with(0);
    stage.given(&WHILE_MADE);
    println!("moto: up ended after {} s", start.elapsed().as_secs());
    stage.inject(&[]);
    stage.workspace.run_within("plan --detailed-exitcode", LIMIT).with(0);
    stage.workspace.run_within("verify", LIMIT).with(0);
    println!("moto: verify ended after {} s", start.elapsed().as_secs());

    stage.inject(&[&WHILE_REMOVED[..], &[NEVER, STAYS]].concat());
    let down = stage.workspace.run_within("down --yes", LIMIT).with(1);
    let said = down.stdout + &down.stderr;
    assert!(said.contains("deletion protection"), "{said}");
    println!("moto: {STAYS:<30} ended `down` at once, and was said");
    let down = stage.workspace.run_within("down --yes", LIMIT).with(0);
    assert!(down.stdout.contains("nothing of this stack is left"), "{}", down.stdout);
    stage.given(&WHILE_REMOVED);
    let given = &stage.own("/_wire/given", &Value::Null)["given"];
    assert_eq!(given[NEVER], Value::Null, "somebody asked for a role of others");
    println!("moto: {NEVER:<30} nobody asked");
    stage.workspace.nothing_is_left();
    assert_eq!(stage.left(), "", "stock clients see what is left");

    let log = stage.own("/_wire/log", &Value::Null);
    let checked = check::requests(log["log"].as_str().unwrap());
    println!("moto: {}", checked.summary());
    assert!(checked.violations.is_empty() && checked.exchanges > 100, "{}", checked.summary());
    println!("moto: passed in {} s", start.elapsed().as_secs());
}
