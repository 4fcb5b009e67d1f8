//! Folders of certificates that all triggers trust, as KEDA's flag `--ca-dir` names them
//! (`docs/rules.md#keda-authentication-over-http`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::tls;

/// Certificates of folders, PEM. They are read once, as KEDA does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authorities(Option<String>);

impl Authorities {
    /// The certificates of all files of these folders. A folder that is not there has none; a file that holds none is named in a log line.
    pub fn of(folders: &[PathBuf]) -> Self {
        let mut all = String::new();
        for folder in folders {
            match files(folder) {
                Ok(files) => files.iter().for_each(|file| add(&mut all, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), error = %error, "the folder of CAs cannot be read");
                }
            }
        }
        Self(Some(all).filter(|all| !all.is_empty()))
    }

    /// These and `ca`, if there are any.
    pub(crate) fn and(&self, ca: Option<String>) -> Option<String> {
        let all: Vec<_> = self.0.iter().cloned().chain(ca).collect();
        (!all.is_empty()).then(|| all.join("\n"))
    }
}

/// The files of a folder, in the order of their names. Those that begin with two dots are how Kubernetes mounts a volume.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".."));
        if !is_hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn add(all: &mut String, file: &Path) {
    let problem = match fs::read_to_string(file) {
        Ok(text) if tls::certificates(&text).is_some() => {
            all.push_str(text.trim_end());
            all.push('\n');
            tracing::info!(file = %file.display(), "triggers trust the certificates of this file");
            return;
        }
        Ok(_) => "it holds no certificate in PEM".to_owned(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(file = %file.display(), problem, "a file of CAs is left out");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificates_of_all_files_are_trusted_and_what_is_none_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let made = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.pem();
        let (a, b) = (made("a"), made("b"));
        write("b.crt", &b);
        write("a.crt", &a);
        write("..data", &made("c"));
        write("notes", "no certificate");
        fs::create_dir(folder.path().join("d")).unwrap();
        let found = Authorities::of(&[folder.path().join("none"), folder.path().to_owned()]);
        assert_eq!(found, Authorities(Some(format!("{}\n{}\n", a.trim_end(), b.trim_end()))));
        assert!(found.and(Some("own".into())).unwrap().ends_with("own"));
        assert_eq!(Authorities::of(&[folder.path().join("d")]), Authorities::default());
        assert_eq!(Authorities::default().and(None), None);
    }
}
