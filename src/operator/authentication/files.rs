//! `filePath` of a ClusterTriggerAuthentication: parameters in a file of the operator's pod (`docs/rules.md#keda-triggerauthentications`).

use std::collections::BTreeMap;
use std::path::{Component, Path};

use tokio::io::AsyncReadExt;

/// A longer file is none of parameters.
const LENGTH_MAX: u64 = 1 << 20;

/// The parameters of the file at `path` of the folder `root`.
///
/// # Errors
///
/// In words, without anything of what the file holds.
pub(super) async fn parameters(root: Option<&Path>, path: &str) -> Result<BTreeMap<String, String>, String> {
    let root = root.ok_or("no folder is given for such files; start the operator with --filepath-auth-root-path")?;
    let is_within = Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !is_within || path.contains("..") {
        return Err("it must be relative and not contain '..'".to_owned());
    }
    let file = root.join(path);
    let unread = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    let mut text = Vec::new();
    let opened = tokio::fs::File::open(&file).await.map_err(unread)?;
    opened.take(LENGTH_MAX + 1).read_to_end(&mut text).await.map_err(unread)?;
    if text.len() as u64 > LENGTH_MAX {
        return Err(format!("{} is longer than {} KiB", file.display(), LENGTH_MAX >> 10));
    }
    serde_json::from_slice(&text).map_err(|error| {
        let at = format!("line {}, column {}", error.line(), error.column());
        format!("{} is no JSON object whose values are texts ({at})", file.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_parameters_are_those_of_a_file_of_the_folder_and_of_none_else() {
        let root = tempfile::tempdir().unwrap();
        let (inner, outer) = (root.path().join("inner"), root.path().join("outer.json"));
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(&outer, r#"{"token":"secret"}"#).unwrap();
        for (name, text) in
            [("creds.json", r#"{"authMode":"bearer","token":"t"}"#), ("wrong.json", r#"{"token":27182818}"#)]
        {
            std::fs::write(inner.join(name), text).unwrap();
        }
        let found = parameters(Some(&inner), "creds.json").await.unwrap();
        assert_eq!(found["authMode"], "bearer");
        assert_eq!(parameters(Some(root.path()), "./inner/creds.json").await.unwrap()["token"], "t");
        for outside in ["../outer.json", "x/../../outer.json", outer.to_str().unwrap(), "a..b"] {
            let problem = parameters(Some(&inner), outside).await.unwrap_err();
            assert_eq!(problem, "it must be relative and not contain '..'", "{outside}");
        }
        let problem = parameters(Some(&inner), "wrong.json").await.unwrap_err();
        assert!(problem.contains("no JSON object") && !problem.contains("27182818"), "{problem}");
        assert!(parameters(Some(&inner), "none.json").await.unwrap_err().contains("cannot be read"));
        assert!(parameters(None, "creds.json").await.unwrap_err().contains("--filepath-auth-root-path"));
    }
}
