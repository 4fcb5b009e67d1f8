//! Mount paths without mounts: where a container has no file system of its own, paths below a mount path are rewritten to
//! the folder that holds the volume.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::sandbox::sub_path;
use crate::object::{items, text};

/// The mounts of one container, longest mount path first.
#[derive(Debug, Clone, Default)]
pub(super) struct Mounts(Vec<(String, PathBuf)>);

/// The folder of a volume.
pub(super) fn volume_dir(pod_dir: &Path, volume: &str) -> PathBuf {
    pod_dir.join("volumes").join(volume)
}

impl Mounts {
    /// `variables` are those that `subPathExpr` may name.
    pub(super) fn of(container: &Value, pod_dir: &Path, variables: &[(String, String)]) -> Self {
        let mounts = items(container, "/volumeMounts").iter().map(|mount| {
            let folder = volume_dir(pod_dir, text(mount, "/name"));
            let part = sub_path(mount, variables);
            let folder = if part.as_os_str().is_empty() { folder } else { folder.join(part) };
            (text(mount, "/mountPath").trim_end_matches('/').to_owned(), folder)
        });
        let mut mounts: Vec<_> = mounts.filter(|(path, _)| !path.is_empty()).collect();
        mounts.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Self(mounts)
    }

    /// The folder mounted at exactly this path.
    pub(super) fn at(&self, path: &Path) -> Option<&Path> {
        self.0.iter().find(|(mounted, _)| Path::new(mounted) == path).map(|(_, folder)| folder.as_path())
    }

    /// Rewrites a value that starts with a mount path, and the value of `--flag=/mount/path`.
    pub(super) fn rewrite(&self, value: &str) -> String {
        if let Some(path) = self.translate(value) {
            return path;
        }
        if value.starts_with('-')
            && let Some((flag, path)) = value.split_once('=')
            && let Some(path) = self.translate(path)
        {
            return format!("{flag}={path}");
        }
        value.to_owned()
    }

    fn translate(&self, value: &str) -> Option<String> {
        self.0.iter().find_map(|(mounted, folder)| {
            let rest = value.strip_prefix(mounted.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", folder.display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_below_a_mount_are_rewritten_and_others_are_not() {
        let container = json!({"volumeMounts": [
            {"name": "token", "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount/"},
            {"name": "certs", "mountPath": "/certs", "subPath": "a"},
        ]});
        let mounts = Mounts::of(&container, Path::new("/p"), &[]);
        let token = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
        assert_eq!(mounts.rewrite(token), "/p/volumes/token/token");
        assert_eq!(mounts.rewrite("--cert-dir=/certs"), "--cert-dir=/p/volumes/certs/a");
        assert_eq!(mounts.rewrite("/certs2/x"), "/certs2/x");
        assert_eq!(mounts.rewrite("x=/certs"), "x=/certs");
        assert_eq!(mounts.at(Path::new("/certs")), Some(Path::new("/p/volumes/certs/a")));
    }
}
