//! File systems that outlive pods: what a claim on an EFS volume stands for, one folder a file system, access point and path.
//!
//! Fargate mounts no other persistent volumes (<https://docs.aws.amazon.com/eks/latest/userguide/efs-csi.html>).

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::pod::Pod;
use crate::error::{Error, Result};
use crate::object::{namespace, text};

/// Beside the folders of pods, which are named by uid.
const FOLDER: &str = "file-systems";

/// Makes the folder of a claim's volume, and a link to it where the pod's volume is looked for.
pub(super) fn attach(pod: &Pod, object: &Value, claim: &str, link: &Path) -> Result<()> {
    let found = pod.cache.get("persistentvolumeclaims", namespace(object), claim);
    let found = found.filter(|claim| text(claim, "/status/phase") == "Bound");
    let volume = found.and_then(|claim| pod.cache.get("persistentvolumes", "", text(&claim, "/spec/volumeName")));
    let Some(volume) = volume else {
        return Err(Error::Invalid(format!("persistentvolumeclaim \"{claim}\" is not bound to a volume")));
    };
    let pods = pod.dir.parent().unwrap_or(&pod.dir);
    let folder = folder(pods, text(&volume, "/spec/csi/volumeHandle"));
    std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    if link.is_symlink() {
        return Ok(());
    }
    let parent = link.parent().unwrap_or(&pod.dir);
    std::fs::create_dir_all(parent).map_err(Error::file(parent))?;
    std::os::unix::fs::symlink(&folder, link).map_err(Error::file(link))
}

/// The folder of a handle such as `fs-1:/path` or `fs-1::fsap-2`; each handle has its own, below `pods`.
fn folder(pods: &Path, handle: &str) -> PathBuf {
    let safe = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let name: String = handle
        .chars()
        .map(|letter| if safe(letter) { letter.to_string() } else { format!("%{:x}", u32::from(letter)) })
        .collect();
    pods.join(FOLDER).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_names_one_folder_below_those_of_pods() {
        assert_eq!(folder(Path::new("/p"), "fs-1::fsap-2"), Path::new("/p/file-systems/fs-1%3a%3afsap-2"));
        assert_eq!(folder(Path::new("/p"), "../x"), Path::new("/p/file-systems/%2e%2e%2fx"));
    }
}
