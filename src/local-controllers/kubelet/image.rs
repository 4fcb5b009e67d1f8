//! Which program an image stands for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The repository's last part: no registry, no path, no tag, no digest.
fn short_name(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').map_or(last, |(name, _)| name)
}

/// The image without tag and digest.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// The mapped program: by the whole reference, by the repository, or by its last part.
pub(super) fn program<'a>(image: &str, images: &'a BTreeMap<String, PathBuf>) -> Option<&'a Path> {
    let names = [image, repository(image), short_name(image)];
    names.into_iter().find_map(|name| images.get(name)).map(PathBuf::as_path)
}

/// Why the image cannot be "pulled" and what to do.
pub(super) fn unknown(image: &str) -> String {
    format!(
        "failed to pull image \"{image}\": pods of the local cloud are processes of this machine, and no program is \
         mapped to this image; map one with: sluice local run --run-image {}=PROGRAM",
        short_name(image)
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
    let is_own = base == short_name(image) || program.file_name().is_some_and(|name| name == base);
    let first = if is_own { own } else { first.clone() };
    std::iter::once(first).chain(rest.iter().cloned()).chain(args.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_with_any_registry_and_tag() {
        let images = BTreeMap::from([("sluice".to_owned(), PathBuf::from("/bin/sluice"))]);
        for image in ["sluice", "sluice:latest", "host:5000/team/sluice:v1", "sluice@sha256:00"] {
            assert_eq!(program(image, &images), Some(Path::new("/bin/sluice")), "{image}");
        }
        assert_eq!(program("nginx:1", &images), None);
        assert!(unknown("docker.io/library/nginx:1").contains("--run-image nginx=PROGRAM"));
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
