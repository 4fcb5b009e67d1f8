//! The image: one layer, the configuration that says how to run it, and the manifest that names both by digest.

use std::collections::HashMap;
use std::str::FromStr;

use bytes::Bytes;
use oci_spec::OciSpecError;
use oci_spec::image as oci;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::layer::{self, Tree};
use crate::program::{Architecture, Program};

/// Where the program is: on `PATH`, so that `kubectl exec` finds it by name.
const PROGRAM: &str = "/usr/local/bin/sluice";
const PATH: &str = "PATH=/usr/local/bin";
/// Numeric, so that `runAsNonRoot` can be checked without reading `/etc/passwd`; the number is the customary one.
const USER: &str = "65532:65532";
const PASSWD: &str = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnonroot:x:65532:\n";
/// `/etc/hosts` before DNS: Kubernetes writes `hostAliases` there.
const NSSWITCH: &str = "hosts: files dns\n";
/// The programs' libraries look here for certificates; so do OpenSSL's.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Any fixed time does, and older Dockers want one.
const CREATED: &str = "1970-01-01T00:00:00Z";
const DESCRIPTION: &str = "From nothing to a proven event-driven autoscaling setup and back to nothing";

/// A part of an image, named by its digest.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) data: Bytes,
    pub(crate) digest: String,
    media_type: oci::MediaType,
}

impl Blob {
    fn new(data: Bytes, media_type: oci::MediaType) -> Self {
        Self { digest: layer::digest(&data), data, media_type }
    }

    pub(crate) fn descriptor(&self) -> Result<oci::Descriptor> {
        let digest = oci::Digest::from_str(&self.digest).map_err(bug)?;
        Ok(oci::Descriptor::new(self.media_type.clone(), self.data.len() as u64, digest))
    }
}

/// An image in memory.
#[derive(Debug, Clone)]
pub struct Image {
    pub(crate) layer: Blob,
    pub(crate) config: Blob,
    pub(crate) manifest: Blob,
}

impl Image {
    /// Packs a program. Takes seconds of computing; from async code call it on a blocking thread.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if a file of the program cannot be read. [`Error::Format`] if the image cannot be described: a
    /// mistake of this program.
    pub fn build(program: &Program) -> Result<Self> {
        let layer = layer::pack(&tree(program))?;
        let config = config(program, &layer.diff_id).map_err(bug)?;
        let layer = Blob::new(layer.data, oci::MediaType::ImageLayerGzip);
        let config = Blob::new(canonical(&config)?, oci::MediaType::ImageConfig);
        let manifest = oci::ImageManifestBuilder::default()
            .schema_version(2_u32)
            .media_type(oci::MediaType::ImageManifest)
            .config(config.descriptor()?)
            .layers([layer.descriptor()?])
            .build()
            .map_err(bug)?;
        let manifest = Blob::new(canonical(&manifest)?, oci::MediaType::ImageManifest);
        Ok(Self { layer, config, manifest })
    }

    /// The image's identity: the manifest's digest.
    pub fn digest(&self) -> &str {
        &self.manifest.digest
    }

    /// Bytes as stored and sent, compressed.
    pub fn size(&self) -> u64 {
        self.blobs().map(|blob| blob.data.len() as u64).sum()
    }

    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        [&self.layer, &self.config, &self.manifest].into_iter()
    }
}

fn tree(program: &Program) -> Tree {
    let mut tree = Tree::default();
    tree.executable(PROGRAM.as_ref(), &program.path);
    for (location, file) in &program.libraries {
        tree.executable(location, file);
    }
    tree.text("/etc/passwd", PASSWD);
    tree.text("/etc/group", GROUP);
    tree.text("/etc/nsswitch.conf", NSSWITCH);
    tree.text(CERTIFICATES, certificates());
    // A place for whoever mounts one; the root file system itself may be read-only.
    tree.folder("/tmp", 0o1777);
    tree
}

/// Mozilla's authorities as one PEM bundle. Those of the machine that packs would make the digest depend on it.
fn certificates() -> String {
    let all: Vec<_> =
        webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|der| pem::Pem::new("CERTIFICATE", der.to_vec())).collect();
    pem::encode_many_config(&all, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

fn config(program: &Program, diff_id: &str) -> Result<oci::ImageConfiguration, OciSpecError> {
    let mut variables = vec![PATH.to_owned()];
    let folders: Vec<_> =
        program.folders_outside_defaults().iter().map(|folder| folder.display().to_string()).collect();
    if !folders.is_empty() {
        variables.push(format!("LD_LIBRARY_PATH={}", folders.join(":")));
    }
    let labels = [
        (oci::ANNOTATION_TITLE, "sluice"),
        (oci::ANNOTATION_DESCRIPTION, DESCRIPTION),
        (oci::ANNOTATION_VERSION, env!("CARGO_PKG_VERSION")),
        (oci::ANNOTATION_LICENSES, env!("CARGO_PKG_LICENSE")),
    ];
    let run = oci::ConfigBuilder::default()
        .user(USER)
        .env(variables)
        .entrypoint([PROGRAM.to_owned()])
        .working_dir("/")
        .labels(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect::<HashMap<_, _>>())
        .build()?;
    let history = oci::HistoryBuilder::default().created(CREATED).created_by("sluice image save").build()?;
    oci::ImageConfigurationBuilder::default()
        .created(CREATED)
        .architecture(match program.architecture() {
            Architecture::Amd64 => oci::Arch::Amd64,
            Architecture::Arm64 => oci::Arch::ARM64,
        })
        .os(oci::Os::Linux)
        .config(run)
        .rootfs(oci::RootFsBuilder::default().typ("layers").diff_ids([diff_id.to_owned()]).build()?)
        .history([history])
        .build()
}

/// JSON with sorted keys: labels are a hash map in the format's crate, and its order changes from run to run.
pub(crate) fn canonical(value: &impl Serialize) -> Result<Bytes> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, olpc_cjson::CanonicalFormatter::new());
    value.serialize(&mut serializer).map_err(bug)?;
    Ok(out.into())
}

/// The parts are all ours, so that one that does not fit is our mistake.
pub(crate) fn bug(cause: impl std::fmt::Display) -> Error {
    Error::Format(cause.to_string())
}
