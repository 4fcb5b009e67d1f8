//! `sluice image` as a user runs it: the same digest twice, mistakes distinguished, and a push with the credentials of a
//! helper, which is found by PATH and therefore only by a process of its own.
#![expect(clippy::disallowed_methods, reason = "a test hands its environment on, and waits for a real process")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::bad_input::can_mount;
use crate::workspace::Workspace;

/// Debian's package of the distribution project's registry.
const REGISTRY: &str = "docker-registry";
/// Set where the program must be there, such as in CI.
const REQUIRE: &str = "SLUICE_REQUIRE_REGISTRY";
/// alice's s3cret, as htpasswd keeps it.
const HTPASSWD: &str = "alice:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n";
/// Answers for one registry as Docker's helpers do, and on stdout even when it has nothing.
const HELPER: &str = r#"#!/bin/sh
read -r host
[ "$host" = HOST ] || { echo "credentials not found in native keychain"; exit 1; }
echo '{"ServerURL":"HOST","Username":"alice","Secret":"s3cret"}'
"#;

fn sluice(arguments: &[&str], folder: &Path) -> Output {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(arguments)
        .env("PATH", path)
        .env("DOCKER_CONFIG", folder)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn event(output: &Output, kind: &str) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.find(|event| event["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {text}"))
}

#[test]
fn saving_twice_gives_the_same_digest_and_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let saved = ["a.tar", "b.tar"].map(|file| {
        let output = sluice(&["image", "save", file, "--output", "json"], folder.path());
        assert!(output.status.success(), "{output:?}");
        (event(&output, "image_saved")["digest"].clone(), std::fs::read(folder.path().join(file)).unwrap())
    });
    assert!(saved[0].0.as_str().unwrap().starts_with("sha256:"));
    assert!(saved[0] == saved[1], "{} and {}", saved[0].0, saved[1].0);
}

#[test]
fn a_reference_without_a_tag_is_wrong_usage_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [["image", "push", "localhost:5000/sluice"].as_slice(), &["image", "save", "a.tar", "--name", "sluice"]]
    {
        let output = sluice(arguments, folder.path());
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("neither a tag nor a digest"), "{text}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_repository_of_the_stack_is_made_filled_and_removed_with_the_stack() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "ecr: {repository: team/sluice}\n");
    // Small, and a program as good as another where pods are processes of this machine.
    let up = workspace.run("up --push --program /bin/true").with(0).stdout;
    let place = |text: &str| up.find(text).unwrap_or_else(|| panic!("lacks {text:?}:\n{up}"));
    let (made, pushed) = (place("aws_ecr_repository.this: created"), place("Pushed 127.0.0.1:"));
    let run = place("kubernetes_deployment.keda/keda-operator: created");
    assert!(made < pushed && pushed < run, "{up}");
    let again = workspace.run("plan").with(0).stdout;
    assert!(again.contains("No changes"), "{again}");
    let other = workspace.run("up --push --program /bin/false").with(0).stdout;
    assert!(other.contains("2 changed"), "{other}");
    let again = workspace.run("plan").with(0).stdout;
    assert!(again.contains("No changes"), "{again}");
    let down = workspace.run("down").with(0).stdout;
    assert!(down.contains("aws_ecr_repository.this: destroyed"), "{down}");
    workspace.nothing_is_left();
}

/// The images of the stack's two Deployments, as the API server has them.
fn images_of_pods(workspace: &Workspace) -> Vec<String> {
    let state: Value = serde_json::from_slice(&std::fs::read(workspace.stack_file("state.json")).unwrap()).unwrap();
    let deployments = ["kubernetes_deployment.keda/keda-operator", "kubernetes_deployment.myproject/myapp"];
    let image = |address: &str| {
        let container = "/object/attributes/manifest/spec/template/spec/containers/0/image";
        state["resources"][address].pointer(container).unwrap_or_else(|| panic!("{address} in {state}")).clone()
    };
    deployments.iter().map(|address| image(address).as_str().unwrap().to_owned()).collect()
}

/// The second half of L7: what is pushed under the same tag is what pods run, by the operator's Deployment and by the workload's.
#[test]
fn what_is_pushed_under_the_same_tag_is_what_pods_run() {
    let folder = tempfile::tempdir().unwrap();
    let Some((registry, host)) = registry(folder.path(), None) else { return };
    std::fs::write(folder.path().join("config.json"), authorised(&host)).unwrap();
    let workspace = Workspace::with(vec![("DOCKER_CONFIG".to_owned(), folder.path().into())]);
    let image = format!("{host}/team/sluice:1");
    let up = |options: &str| workspace.run(&format!("up --image {image} {options}")).with(0).stdout;
    let plan = || workspace.run(&format!("plan --full --image {image}")).with(0).stdout;
    up("--push --program /bin/true");
    let first = images_of_pods(&workspace);
    assert!(first.iter().all(|one| *one == first[0] && one.starts_with(&format!("{image}@sha256:"))), "{first:?}");
    assert!(plan().contains("No changes"), "{}", plan());
    // Pushed by `up` itself.
    let rolled = up("--push --program /bin/false");
    assert!(rolled.contains("2 changed"), "{rolled}");
    let second = images_of_pods(&workspace);
    assert!(second.iter().all(|one| *one == second[0] && *one != first[0]), "{second:?}");
    // Pushed by somebody else, and seen by `plan` and `up`.
    let pushed = sluice(&["image", "push", &image, "--program", "/bin/true"], folder.path());
    assert!(pushed.status.success(), "{pushed:?}");
    assert!(plan().contains("2 to change") && plan().contains(&first[0]), "{}", plan());
    up("");
    assert_eq!(images_of_pods(&workspace), first);
    // A registry that does not answer is no reason to roll anything.
    drop(registry);
    let silent = plan();
    assert!(silent.contains("could not be asked") && silent.contains("No changes"), "{silent}");
    workspace.run("down").with(0);
    workspace.nothing_is_left();
}

/// Ended with the value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A registry on loopback that lets alice in; `None` if the program is missing and need not be there. `size`: of the disk
/// that it has for itself.
fn registry(folder: &Path, size: Option<&str>) -> Option<(Process, String)> {
    if Command::new(REGISTRY).arg("--version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var(REQUIRE).is_err(), "{REQUIRE} is set, but there is no program {REGISTRY}");
        println!("skipped: install Debian's package {REGISTRY} to test a push with a credential helper");
        return None;
    }
    let host = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let root = folder.display();
    let config = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {root}/data}}}}\nhttp: {{addr: {host}}}\n\
         auth: {{htpasswd: {{realm: r, path: {root}/htpasswd}}}}\n"
    );
    std::fs::write(folder.join("config.yml"), config).unwrap();
    std::fs::write(folder.join("htpasswd"), HTPASSWD).unwrap();
    std::fs::create_dir(folder.join("data")).unwrap();
    let mount = size.map_or_else(String::new, |size| format!("mount -t tmpfs -o size={size} none {root}/data && "));
    let mut command = Command::new(if size.is_some() { "unshare" } else { "sh" });
    command.args(if size.is_some() { ["--map-root-user", "--mount", "sh"].as_slice() } else { &[] });
    command.args(["-c", &format!("{mount}exec {REGISTRY} serve {root}/config.yml")]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let process = Process(command.spawn().unwrap());
    for _ in 0..200 {
        if std::net::TcpStream::connect(&host).is_ok() {
            return Some((process, host));
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{REGISTRY} does not listen at {host}");
}

#[test]
fn a_push_takes_the_credentials_from_a_helper_and_shows_them_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_registry, host)) = registry(folder.path(), None) else { return };
    let helper = folder.path().join("docker-credential-keeper");
    std::fs::write(&helper, HELPER.replace("HOST", &host)).unwrap();
    std::fs::set_permissions(&helper, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(folder.path().join("config.json"), r#"{"credsStore":"keeper"}"#).unwrap();
    let reference = format!("{host}/team/sluice:1");
    let output = sluice(&["image", "push", &reference, "--output", "json", "-vv"], folder.path());
    assert!(output.status.success(), "{output:?}");
    let pushed = event(&output, "image_pushed");
    assert_eq!(pushed["reference"], format!("{reference}@{}", pushed["digest"].as_str().unwrap()));
    let log = String::from_utf8_lossy(&output.stderr);
    // The second is alice:s3cret as the request carries it.
    assert!(!log.contains("s3cret") && !log.contains("YWxpY2U6czNjcmV0"), "{log}");
}

#[test]
fn up_sends_the_image_that_its_pods_run() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_registry, host)) = registry(folder.path(), None) else { return };
    std::fs::write(folder.path().join("config.json"), authorised(&host)).unwrap();
    let workspace = Workspace::with(vec![("DOCKER_CONFIG".to_owned(), folder.path().into())]);
    let options = format!("--image {host}/team/sluice:1");
    let up = workspace.run(&format!("up --push {options}")).with(0);
    assert!(up.stdout.contains(&format!("Pushed {host}/team/sluice:1@sha256:")), "{}", up.stdout);
    assert!(folder.path().join("data/docker/registry/v2/repositories/team/sluice/_manifests/tags/1").is_dir());
    // `--push` has its effect without changes too; what the registry holds is not sent again.
    let again = workspace.run(&format!("up --push {options}")).with(0);
    assert!(again.stdout.contains("(0.0 MB sent)"), "{}", again.stdout);
    workspace.run(&format!("down {options}")).with(0);
    workspace.nothing_is_left();
}

/// Docker's configuration with alice's credentials.
fn authorised(host: &str) -> String {
    r#"{"auths":{"HOST":{"auth":"YWxpY2U6czNjcmV0"}}}"#.replace("HOST", host)
}

#[test]
fn a_registry_whose_disk_is_full_is_reported_in_one_message() {
    if !can_mount() {
        println!("not run: this machine lets nobody mount a small disk");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some((_registry, host)) = registry(folder.path(), Some("4m")) else { return };
    let reference = format!("{host}/team/sluice:1");
    std::fs::write(folder.path().join("config.json"), authorised(&host)).unwrap();
    let output = sluice(&["image", "push", &reference], folder.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in [&host, "no space left on device", "push again"] {
        assert!(text.contains(part), "{part:?}: {text}");
    }
    assert_eq!(text.lines().filter(|line| line.starts_with("error")).count(), 1, "{text}");
    assert!(!text.contains("YWxpY2U6czNjcmV0") && !text.contains("s3cret"), "{text}");
}
