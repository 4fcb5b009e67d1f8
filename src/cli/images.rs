//! The programs that stand for images on the local target, whose pods are programs of this machine: from the stack file
//! and from flags, made absolute, and checked before anything is made.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use local::files::Folder;
use local::images::{Mapping, has_program};
use nix::unistd::{AccessFlags, access};
use serde_json::json;
use stack::{Origin, Problem};

use crate::arguments::TargetName;
use crate::diagnostic::{Diagnostic, Outcome, one};
use crate::env;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::view::{Tone, View};

/// As typed: an image and the program that stands for it.
pub(crate) type Flag = (String, PathBuf);

/// What one command maps, checked; nothing on targets whose nodes pull images.
#[derive(Debug, Default)]
pub(crate) struct Images(Option<Mapping>);

/// Reads what the stack file and `flags` map, and refuses what cannot run. With `needs_all`, every image of the stack
/// must have a program. What runs already may have been given more.
pub(crate) fn resolve(settings: &Settings, flags: &[Flag], needs_all: bool, view: &View) -> Outcome<Images> {
    if !runs_programs(settings) {
        if let Some((name, _)) = flags.first() {
            let text = format!("--run-image {name}=… has no meaning here: the nodes of this target pull images");
            let help = "leave it out, and put the program into an image that they can pull";
            return Err(vec![Diagnostic::error(text).help(help).exit(Exit::Usage)]);
        }
        if !settings.stack.images.is_empty() {
            let text = "images: of the stack file is for the local target; the nodes of this one pull the images.";
            view.outcome("images_unused", json!({ "images": settings.stack.images }), Tone::Dim, text);
        }
        return Ok(Images(None));
    }
    let mapping = declared(settings, flags)?;
    if needs_all {
        check_all_run(settings, &mapping)?;
    }
    Ok(Images(Some(mapping)))
}

/// Whether containers are programs of this machine: on the local target's own cluster.
pub(crate) fn runs_programs(settings: &Settings) -> bool {
    settings.target == TargetName::Local && settings.stack.kubernetes.context.is_none()
}

impl Images {
    /// Puts the mapping in force. A cloud that was `started` for this command has no other; one that ran before keeps what
    /// flags gave it.
    pub(crate) fn store(self, settings: &Settings, started: bool) -> Outcome<()> {
        let Some(mut mapping) = self.0 else { return Ok(()) };
        let folder = Folder::at(&settings.folder);
        if !started {
            let flags = folder.load_images().map_err(one)?.flags;
            mapping.flags = flags.into_iter().chain(mapping.flags).collect();
        }
        folder.write_images(&mapping).map_err(one)
    }
}

fn declared(settings: &Settings, flags: &[Flag]) -> Outcome<Mapping> {
    let mut wrong = Vec::new();
    let mut mapping = Mapping::default();
    for (name, written) in &settings.stack.images {
        let key = format!("images.{name}");
        let origin = origin(settings, &key);
        // A path in a file is meant from there, one on the command line from where that was typed.
        let base = match (&origin, settings.file.as_deref().and_then(Path::parent)) {
            (Origin::File { .. }, Some(folder)) => folder,
            _ => Path::new(""),
        };
        match program(base, Path::new(written)) {
            Ok(program) => drop(mapping.stack.insert(name.clone(), program)),
            Err(cause) => {
                let next_step = "name a program of this machine that can be executed".to_owned();
                let file = settings.file.as_ref().map(|file| file.display().to_string());
                wrong.push(Diagnostic::of_problem(&Problem { file, origin, key, cause, next_step }, Diagnostic::error));
            }
        }
    }
    for (name, written) in flags {
        match program(Path::new(""), written) {
            Ok(program) => drop(mapping.flags.insert(name.clone(), program)),
            Err(cause) => {
                let text = format!("--run-image {name}={}: {cause}", written.display());
                let help = "name a program of this machine that can be executed";
                wrong.push(Diagnostic::error(text).help(help).exit(Exit::Usage));
            }
        }
    }
    if wrong.is_empty() { Ok(mapping) } else { Err(wrong) }
}

fn origin(settings: &Settings, key: &str) -> Origin {
    let said = settings.keys.iter().find(|setting| setting.key == key);
    said.map_or(Origin::Default, |setting| setting.origin.clone())
}

/// Every image of the stack has a program, by this mapping or by what flags gave a cloud that runs already.
fn check_all_run(settings: &Settings, declared: &Mapping) -> Outcome<()> {
    let folder = Folder::at(&settings.folder);
    let running = local::process::find(&folder).map_err(one)?.is_some();
    let known = if running { folder.load_images().map_err(one)?.flags } else { BTreeMap::new() };
    let mapping = Mapping { flags: known.into_iter().chain(declared.flags.clone()).collect(), ..declared.clone() };
    let stack = &settings.stack;
    let workloads = stack.workloads.iter().enumerate();
    let workloads = workloads.map(|(index, workload)| (format!("workloads[{index}].image"), &workload.image));
    let all = std::iter::once(("operator.image".to_owned(), &stack.operator.image)).chain(workloads);
    let wrong: Vec<_> = all
        .filter(|(_, image)| !has_program(image, &mapping))
        .map(|(key, image)| {
            let cause = format!(
                "no program is mapped to the image {image:?}, and pods of the local target are programs of this machine"
            );
            let next_step = format!("map one with --run-image {image}=PROGRAM, or under `images:` in the stack file");
            let file = settings.file.as_ref().map(|file| file.display().to_string());
            Diagnostic::of_problem(
                &Problem { file, origin: origin(settings, &key), key, cause, next_step },
                Diagnostic::error,
            )
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// The program at `written`, seen from `base`, as an absolute path; or why the system could not run it.
fn program(base: &Path, written: &Path) -> Result<PathBuf, String> {
    let path = std::path::absolute(base.join(at_home(written)?)).map_err(|error| error.to_string())?;
    let shown = path.display();
    let about = std::fs::metadata(&path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            return format!("there is no program {shown}");
        }
        format!("{shown} cannot be looked at: {error}")
    })?;
    if about.is_dir() {
        return Err(format!("{shown} is a folder, no program"));
    }
    if !about.is_file() {
        return Err(format!("{shown} is no file"));
    }
    if access(&path, AccessFlags::X_OK).is_err() {
        return Err(format!("{shown} is not executable (chmod +x makes it so)"));
    }
    interpreter(&path)?;
    Ok(path)
}

/// `~` and `~/…`: shells leave them alone behind a `=`, and files have no shell.
fn at_home(written: &Path) -> Result<PathBuf, String> {
    let Ok(rest) = written.strip_prefix("~") else { return Ok(written.to_owned()) };
    let home = env::home().ok_or_else(|| "`~` means the folder in HOME, which is not set".to_owned())?;
    Ok(PathBuf::from(home).join(rest))
}

/// A script's first line must name an interpreter that is there: the system's own message names only the script.
fn interpreter(path: &Path) -> Result<(), String> {
    // What may be executed need not be readable.
    let Ok(file) = std::fs::File::open(path) else { return Ok(()) };
    let mut start = Vec::new();
    file.take(256).read_to_end(&mut start).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if !start.starts_with(b"#!") {
        let is_text = !start.is_empty() && !start.contains(&0) && std::str::from_utf8(&start).is_ok();
        let needed = "a first line such as #!/usr/bin/env python3";
        return if is_text || start.is_empty() {
            Err(format!("{} is text without {needed}, so the system cannot run it", path.display()))
        } else {
            Ok(())
        };
    }
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(&line[2..]).into_owned();
    let named = line.split_whitespace().next().unwrap_or_default();
    if named.starts_with('/') && !Path::new(named).exists() {
        return Err(format!("{} names the interpreter {named}, which is not there", path.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(folder: &Path, name: &str, text: &[u8], mode: u32) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_relative_path_is_meant_from_its_base_and_a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "run", b"#!/bin/sh\n", 0o755);
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        assert_eq!(program(folder.path(), Path::new("./run")), Ok(path.clone()));
        assert_eq!(program(folder.path(), Path::new("link")), Ok(folder.path().join("link")));
        assert_eq!(program(Path::new("/nowhere"), &path), Ok(path.clone()));
        let from_here = program(Path::new(""), Path::new("Cargo.toml")).unwrap_err();
        assert!(from_here.starts_with('/') && from_here.contains("not executable"), "{from_here}");
    }

    #[test]
    fn what_the_system_could_not_run_is_refused_with_its_cause() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        file(base, "plain", b"#!/bin/sh\n", 0o644);
        file(base, "headless.py", b"import boto3\n", 0o755);
        file(base, "empty", b"", 0o755);
        file(base, "lost", b"#!/no/such/python3 -u\n", 0o755);
        file(base, "binary", b"\x7fELF\0\0", 0o755);
        file(base, "script", b"#!/usr/bin/env python3\n", 0o755);
        for (name, cause) in [
            ("nothing", "there is no program"),
            (".", "is a folder"),
            ("plain", "chmod +x"),
            ("headless.py", "#!/usr/bin/env python3"),
            ("empty", "text without"),
            ("lost", "interpreter /no/such/python3"),
            ("/dev/null", "is no file"),
        ] {
            let refused = program(base, Path::new(name)).unwrap_err();
            assert!(refused.contains(cause), "{name}: {refused}");
        }
        assert!(program(base, Path::new("binary")).is_ok() && program(base, Path::new("script")).is_ok());
    }
}
