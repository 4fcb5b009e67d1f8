//! An image as one file: an OCI image layout (containerd, podman, kind), and in the same tar the `manifest.json` that
//! `docker load` has read since long before there was an OCI.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use oci_spec::image as oci;
use serde_json::json;

use crate::content::{Image, bug, canonical};
use crate::error::{Error, Result};
use crate::layer::header;
use crate::name::Name;

/// Under which containerd stores the image.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

impl Image {
    /// Writes the archive. The file appears whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] if `path` is a folder or cannot be written. [`Error::Format`] if the image cannot be
    /// described: a mistake of this program.
    pub fn save(&self, path: &Path, name: &Name) -> Result<()> {
        let failed = |cause| Error::Write { path: path.to_owned(), cause };
        if path.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let files = self.files(name)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".sluice-image-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // Its own message names the partial file, which means nothing to a person.
        let partial = builder.tempfile_in(folder).map_err(|error| failed(error.kind().into()))?;
        write(partial.as_file(), &files).map_err(failed)?;
        partial.persist(path).map_err(|refused| failed(refused.error))?;
        Ok(())
    }

    /// The archive's files, in the order in which they are written.
    fn files(&self, name: &Name) -> Result<Vec<(String, bytes::Bytes)>> {
        let layout = oci::OciLayoutBuilder::default().image_layout_version("1.0.0").build().map_err(bug)?;
        let mut manifest = self.manifest.descriptor()?;
        manifest.set_annotations(Some(HashMap::from([
            (CONTAINERD_NAME.to_owned(), name.to_string()),
            (oci::ANNOTATION_REF_NAME.to_owned(), name.tag().unwrap_or_default().to_owned()),
        ])));
        let index = oci::ImageIndexBuilder::default()
            .schema_version(2_u32)
            .media_type(oci::MediaType::ImageIndex)
            .manifests([manifest])
            .build()
            .map_err(bug)?;
        let docker = json!([{
            "Config": location(&self.config.digest),
            "RepoTags": [name.to_string()],
            "Layers": [location(&self.layer.digest)],
        }]);
        let mut files = vec![
            ("oci-layout".to_owned(), canonical(&layout)?),
            ("index.json".to_owned(), canonical(&index)?),
            ("manifest.json".to_owned(), canonical(&docker)?),
        ];
        files.extend(self.blobs().map(|blob| (location(&blob.digest), blob.data.clone())));
        Ok(files)
    }
}

fn location(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

fn write(file: &std::fs::File, files: &[(String, bytes::Bytes)]) -> io::Result<()> {
    let mut archive = tar::Builder::new(BufWriter::new(file));
    for folder in ["blobs/", "blobs/sha256/"] {
        let mut header = header(tar::EntryType::Directory, 0o755, 0);
        archive.append_data(&mut header, folder, io::empty())?;
    }
    for (path, data) in files {
        let mut header = header(tar::EntryType::Regular, 0o644, data.len() as u64);
        archive.append_data(&mut header, path, &**data)?;
    }
    archive.into_inner()?.flush()?;
    file.sync_all()
}
