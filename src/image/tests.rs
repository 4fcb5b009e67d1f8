//! An image as a whole: what is in it, its archive, and a push to a real registry (Debian's docker-registry).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::layer::digest;
use crate::{Error, Image, Name, Options, Program, Tagged, push, tagged};

/// Debian's package of the distribution project's registry.
const REGISTRY: &str = "docker-registry";
/// Set where the program must be there, such as in CI.
const REQUIRE: &str = "SLUICE_REQUIRE_REGISTRY";
/// alice's s3cret, as htpasswd keeps it.
const HTPASSWD: &str = "alice:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n";

fn image() -> Image {
    Image::build(&Program::at(Path::new("/bin/true")).unwrap()).unwrap()
}

fn files(archive: impl Read) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let mut found = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut data = Vec::new();
        entry.read_to_end(&mut data).unwrap();
        assert!(found.insert(path, data).is_none(), "every path once");
    }
    found
}

fn json(data: &[u8]) -> Value {
    serde_json::from_slice(data).unwrap()
}

#[test]
fn the_same_program_gives_the_same_image_and_the_same_archive() {
    let (first, second) = (image(), image());
    assert_eq!(first.digest(), second.digest());
    let folder = tempfile::tempdir().unwrap();
    let name = Name::parse_tagged("sluice:1").unwrap();
    let archives = ["a.tar", "b.tar"].map(|file| folder.path().join(file));
    first.save(&archives[0], &name).unwrap();
    second.save(&archives[1], &name).unwrap();
    assert!(std::fs::read(&archives[0]).unwrap() == std::fs::read(&archives[1]).unwrap());
}

#[test]
fn the_layer_has_program_libraries_certificates_and_a_user() {
    let found = files(flate2::read::GzDecoder::new(&*image().layer.data));
    assert_eq!(found["usr/local/bin/sluice"], std::fs::read("/bin/true").unwrap());
    assert!(found.keys().any(|path| path.ends_with("/libc.so.6")), "{:?}", found.keys());
    assert!(found.keys().any(|path| path.contains("/ld-linux")), "{:?}", found.keys());
    assert!(String::from_utf8_lossy(&found["etc/passwd"]).contains(":65532:65532:"));
    let bundle = String::from_utf8_lossy(&found["etc/ssl/certs/ca-certificates.crt"]).into_owned();
    assert!(pem::parse_many(&bundle).unwrap().len() > 100);
    assert!(!bundle.contains('\r'));
}

#[test]
fn the_archive_is_an_oci_layout_that_docker_reads_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    let image = image();
    image.save(&path, &Name::parse_tagged("sluice:1").unwrap()).unwrap();
    let found = files(std::fs::File::open(&path).unwrap());
    for (path, data) in found.iter().filter(|(path, data)| path.starts_with("blobs/") && !data.is_empty()) {
        assert_eq!(*path, digest(data).replace("sha256:", "blobs/sha256/"));
    }
    let blob = |digest: &Value| &found[&digest.as_str().unwrap().replace("sha256:", "blobs/sha256/")];
    assert_eq!(json(&found["oci-layout"])["imageLayoutVersion"], "1.0.0");
    let entry = &json(&found["index.json"])["manifests"][0];
    assert_eq!(entry["digest"], image.digest());
    assert_eq!(entry["annotations"]["io.containerd.image.name"], "docker.io/library/sluice:1");
    let manifest = json(blob(&entry["digest"]));
    let config = json(blob(&manifest["config"]["digest"]));
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Entrypoint"][0], "/usr/local/bin/sluice");
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    let docker = &json(&found["manifest.json"])[0];
    assert_eq!(docker["RepoTags"][0], "docker.io/library/sluice:1");
    for path in [&docker["Config"], &docker["Layers"][0]] {
        assert!(found.contains_key(path.as_str().unwrap()), "{path}");
    }
}

#[test]
fn an_archive_that_cannot_be_written_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("taken")).unwrap();
    let name = Name::parse_tagged("sluice:1").unwrap();
    for path in [folder.path().join("taken"), folder.path().join("missing/image.tar")] {
        let error = image().save(&path, &name).unwrap_err();
        assert!(matches!(error, Error::Write { .. }) && error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    let left: BTreeSet<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, BTreeSet::from(["taken".into()]));
}

/// A registry of our own on loopback; ends with the value.
struct Registry {
    process: Child,
    host: String,
    folder: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Registry {
    /// Starts one with its own users if `auth` says so. `None` if the program is missing and need not be there.
    #[expect(clippy::disallowed_methods, reason = "a test waits for a real process, and reads what CI asks of it")]
    fn start(auth: &str, file_blocks_max: Option<u32>) -> Option<Self> {
        let found = Command::new(REGISTRY).arg("--version").stdout(Stdio::null()).status().is_ok();
        if !found {
            assert!(std::env::var(REQUIRE).is_err(), "{REQUIRE} is set, but there is no program {REGISTRY}");
            println!("skipped: install Debian's package {REGISTRY} to test pushes against a real registry");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let root = folder.path().display();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root}/data}}}}\n\
             http: {{addr: {host}}}\n{}",
            auth.replace("FOLDER", &root.to_string())
        );
        std::fs::write(folder.path().join("config.yml"), config).unwrap();
        std::fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
        let limit = file_blocks_max.map_or("unlimited".to_owned(), |blocks| blocks.to_string());
        let process = Command::new("sh")
            .args(["-c", &format!("ulimit -f {limit}; exec {REGISTRY} serve \"$0\"")])
            .arg(folder.path().join("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = Self { process, host, folder };
        for _ in 0..200 {
            if std::net::TcpStream::connect(&registry.host).is_ok() {
                return Some(registry);
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{REGISTRY} does not listen at {}", registry.host);
    }

    fn name(&self, rest: &str) -> Name {
        Name::parse(&format!("{}/{rest}", self.host)).unwrap()
    }

    /// A Docker configuration with this text for the registry.
    fn docker_config(&self, entry: &str) -> PathBuf {
        let path = self.folder.path().join("config.json");
        std::fs::write(&path, format!(r#"{{"auths":{{"{}":{entry}}}}}"#, self.host)).unwrap();
        path
    }

    fn options(&self, entry: &str) -> Options {
        Options { docker_config: Some(self.docker_config(entry)), ..Options::default() }
    }

    /// What the registry stored under a path of its data.
    fn stored(&self, path: &str) -> String {
        let root = self.folder.path().join("data/docker/registry/v2/repositories");
        std::fs::read_to_string(root.join(path)).unwrap()
    }
}

const BASIC: &str = "auth: {htpasswd: {realm: r, path: FOLDER/htpasswd}}\n";

#[tokio::test]
async fn a_registry_gets_the_image_once_under_tag_and_digest() {
    let Some(registry) = Registry::start("", None) else { return };
    let image = image();
    let name = registry.name("team/sluice:1");
    let first = push(&image, &name, &registry.options("{}")).await.unwrap();
    assert_eq!(first.sent, image.size());
    assert_eq!(first.reference, format!("{}/team/sluice:1@{}", registry.host, image.digest()));
    assert_eq!(registry.stored("team/sluice/_manifests/tags/1/current/link"), image.digest());
    assert_eq!(tagged(&name, &registry.options("{}")).await.unwrap(), Tagged::Content(image.digest().to_owned()));
    let missing = registry.name("team/sluice:2");
    assert_eq!(tagged(&missing, &registry.options("{}")).await.unwrap(), Tagged::Missing);
    let second = push(&image, &name, &registry.options("{}")).await.unwrap();
    assert!(second.sent < 2_000, "the layer is there already: {second:?}");
    let by_digest = registry.name(&format!("team/sluice@{}", image.digest()));
    push(&image, &by_digest, &registry.options("{}")).await.unwrap();
    let other = registry.name(&format!("team/sluice@{}", digest(b"other")));
    let error = push(&image, &other, &registry.options("{}")).await.unwrap_err();
    assert!(matches!(error, Error::OtherDigest { .. }), "{error}");
}

#[tokio::test]
async fn a_registry_with_users_lets_in_who_docker_logged_in() {
    let Some(registry) = Registry::start(BASIC, None) else { return };
    let (image, name) = (image(), registry.name("sluice:1"));
    // alice:s3cret, then alice:wrong
    push(&image, &name, &registry.options(r#"{"auth":"YWxpY2U6czNjcmV0"}"#)).await.unwrap();
    for (entry, who) in [("{}", "without credentials"), (r#"{"auth":"YWxpY2U6d3Jvbmc="}"#, "user alice")] {
        let error = push(&image, &name, &registry.options(entry)).await.unwrap_err();
        assert!(matches!(error, Error::Denied { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(who) && text.contains("docker login") && !text.contains("wrong"), "{text}");
    }
}

#[tokio::test]
async fn a_registry_that_cannot_store_is_distinguished() {
    // A file may not grow beyond 64 blocks: as a full disk does, this fails the write.
    let Some(registry) = Registry::start("", Some(64)) else { return };
    let error = push(&image(), &registry.name("sluice:1"), &registry.options("{}")).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
    assert!(error.to_string().contains("free disk space"), "{error}");
}

#[tokio::test]
async fn nobody_there_and_somebody_else_there_are_distinguished() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = Options { docker_config: Some("/nonexistent/config.json".into()), ..Options::default() };
    let name = Name::parse(&format!("{free}/sluice:1")).unwrap();
    let error = push(&image(), &name, &options).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let name = Name::parse(&format!("{}/sluice:1", web_page().await)).unwrap();
    let error = push(&image(), &name, &options).await.unwrap_err();
    assert!(matches!(error, Error::NoRegistry { .. }), "{error}");
}

/// A server that answers everything with a page.
async fn web_page() -> std::net::SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.read(&mut [0; 4096]).await;
            let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>";
            let _ = socket.write_all(page.as_bytes()).await;
        }
    });
    address
}

/// A registry that answers each path with a status and a body, and everything else with 404.
async fn scripted(answers: Vec<(String, u16, String)>) -> std::net::SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 8192];
            let read = socket.read(&mut buffer).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let unknown = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#.to_owned();
            let found = answers.iter().find(|(known, ..)| known == path);
            let (status, body) = found.map_or((404, unknown), |(_, status, body)| (*status, body.clone()));
            let kind = "application/vnd.oci.image.manifest.v1+json";
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    address
}

fn manifest(config: &str) -> String {
    serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config.as_bytes()), "size": config.len() },
        "layers": [],
    })
    .to_string()
}

#[tokio::test]
async fn a_look_finds_the_platforms_of_an_image() {
    let config = r#"{"architecture":"arm64","os":"linux"}"#;
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(b"x"), "size": 1,
            "platform": { "os": "linux", "architecture": "amd64" } }],
    });
    let address = scripted(vec![
        ("/v2/".into(), 200, "{}".into()),
        ("/v2/one/manifests/1".into(), 200, manifest(config)),
        (format!("/v2/one/blobs/{}", digest(config.as_bytes())), 200, config.into()),
        ("/v2/many/manifests/1".into(), 200, index.to_string()),
    ])
    .await;
    let look = async |rest: &str| {
        let name = Name::parse(&format!("{address}/{rest}")).unwrap();
        crate::look(&name, &crate::Reader::Nobody).await.unwrap()
    };
    assert_eq!(look("one:1").await, crate::Seen::Image(vec!["linux/arm64".into()]));
    assert_eq!(look("many:1").await, crate::Seen::Image(vec!["linux/amd64".into()]));
    assert_eq!(look("one:2").await, crate::Seen::Missing);
}

#[tokio::test]
async fn a_look_distinguishes_a_refusal_from_an_absence() {
    let denied = r#"{"errors":[{"code":"DENIED","message":"no"}]}"#;
    let address = scripted(vec![
        ("/v2/".into(), 200, "{}".into()),
        ("/v2/private/manifests/1".into(), 403, denied.into()),
        ("/v2/broken/manifests/1".into(), 503, String::new()),
    ])
    .await;
    let look = async |rest: &str| {
        let name = Name::parse(&format!("{address}/{rest}")).unwrap();
        crate::look(&name, &crate::Reader::Nobody).await
    };
    assert_eq!(look("private:1").await.unwrap(), crate::Seen::Denied);
    assert!(matches!(look("broken:1").await, Err(Error::Broken { .. })));
}
