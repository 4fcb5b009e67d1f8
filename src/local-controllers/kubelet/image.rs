//! The program that an image stands for, and what a container finds of it.

use std::path::{Path, PathBuf};

use crate::Images;
use crate::images::{Mapping, last_part};

/// A program that stands for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// What the image's entry point is.
    pub(super) path: PathBuf,
    /// The folder that an image would have on its `PATH` for it; none for this program's own image, which holds nothing else.
    pub(super) folder: Option<PathBuf>,
}

/// The program mapped to the image, if there is one. The error says why the mapping cannot be read.
pub(super) fn program(image: &str, images: &Images) -> Result<Option<Program>, String> {
    let mapping = match &images.file {
        Some(file) => Mapping::load(file)
            .map_err(|error| format!("failed to pull image \"{image}\": {} cannot be read: {error}", file.display()))?,
        None => Mapping::default(),
    };
    if let Some(path) = mapping.program(image) {
        return Ok(Some(Program { path: path.to_owned(), folder: path.parent().map(Path::to_owned) }));
    }
    let built_in = images.built_in.get(&last_part(image));
    Ok(built_in.map(|path| Program { path: path.clone(), folder: None }))
}

/// Why the image cannot be "pulled" and what to do.
pub(super) fn unknown(image: &str) -> String {
    format!(
        "failed to pull image \"{image}\": pods of the local cloud are processes of this machine, and no program is \
         mapped to this image; map one with: sluice local start --run-image {}=PROGRAM",
        last_part(image)
    )
}

/// What to execute for a container: the image's entry point unless `command` replaces it. A command that names the
/// image's own program (`sluice`, `/usr/bin/sluice`) means that program; others are looked up on this machine.
pub(super) fn argv(program: &Path, image: &str, command: &[String], args: &[String]) -> Vec<String> {
    let own = program.to_string_lossy().into_owned();
    let Some((first, rest)) = command.split_first() else {
        return std::iter::once(own).chain(args.iter().cloned()).collect();
    };
    let base = first.rsplit('/').next().unwrap_or(first);
    let is_own = base == last_part(image) || program.file_name().is_some_and(|name| name == base);
    let first = if is_own { own } else { first.clone() };
    std::iter::once(first).chain(rest.iter().cloned()).chain(args.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn images(file: Option<PathBuf>) -> Images {
        Images { built_in: BTreeMap::from([("sluice".to_owned(), PathBuf::from("/bin/sluice"))]), file }
    }

    #[test]
    fn built_in_images_are_found_with_any_registry_and_tag() {
        for image in ["sluice", "sluice:latest", "host:5000/team/sluice:v1", "sluice@sha256:00"] {
            let found = program(image, &images(None)).unwrap().unwrap();
            assert_eq!((found.path.as_path(), found.folder), (Path::new("/bin/sluice"), None), "{image}");
        }
        assert_eq!(program("nginx:1", &images(None)), Ok(None));
        assert!(unknown("docker.io/library/nginx:1").contains("--run-image nginx=PROGRAM"));
    }

    #[test]
    fn a_program_that_is_mapped_later_is_found_with_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let images = images(Some(folder.path().join("images.json")));
        assert_eq!(program("mycorp/consumer:1", &images), Ok(None));
        std::fs::write(folder.path().join("images.json"), r#"{"stack":{},"flags":{"consumer":"/venv/bin/run"}}"#)
            .unwrap();
        let found = program("mycorp/consumer:1", &images).unwrap().unwrap();
        assert_eq!(
            (found.path.as_path(), found.folder.as_deref()),
            (Path::new("/venv/bin/run"), Some(Path::new("/venv/bin")))
        );
        std::fs::write(folder.path().join("images.json"), "?").unwrap();
        assert!(program("sluice", &images).unwrap_err().contains("images.json cannot be read"));
    }

    #[test]
    fn args_follow_the_entry_point_and_command_replaces_it() {
        let strings = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let program = Path::new("/bin/sluice");
        assert_eq!(argv(program, "sluice:1", &[], &strings(&["worker"])), strings(&["/bin/sluice", "worker"]));
        assert_eq!(
            argv(program, "sluice:1", &strings(&["/usr/bin/sluice", "a"]), &strings(&["b"])),
            strings(&["/bin/sluice", "a", "b"])
        );
        assert_eq!(
            argv(program, "sluice:1", &strings(&["/bin/sh", "-c"]), &strings(&["true"])),
            strings(&["/bin/sh", "-c", "true"])
        );
    }
}
