//! Which programs of this machine stand for which images.
//!
//! The mapping lies in a file that is read whenever a container is prepared, so that a program which is mapped while the
//! cluster runs is found by the next attempt to start its container, as an image that is pushed late is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Programs by image name, in two layers.
///
/// A name is a whole reference (`REPOSITORY:TAG`, with or without its registry), a repository, which stands for all of
/// its tags, or the repository's last part alone. The most exact name wins, and at equal exactness a flag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// What the stack file says.
    pub stack: BTreeMap<String, PathBuf>,
    /// What flags said, since the cluster was started.
    pub flags: BTreeMap<String, PathBuf>,
}

impl Mapping {
    /// The mapping in the file at `path`; a file that is not there maps nothing.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no mapping.
    pub fn load(path: &Path) -> std::io::Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text).map_err(std::io::Error::from),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// The program that stands for `image`.
    pub fn program(&self, image: &str) -> Option<&Path> {
        let image = Reference::of(image);
        let layers = [&self.flags, &self.stack].into_iter().flatten();
        let ranked = layers.filter_map(|(name, program)| Some((image.rank(name)?, program)));
        // Of equals the first is kept, so that flags win.
        let best = ranked.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, program)| program.as_path())
    }
}

/// How exactly a name means an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    LastPart,
    Repository,
    Whole,
}

/// An image reference in its parts, with the defaults that container runtimes fill in: registry `docker.io`, there the
/// folder `library` for names of one part, and the tag `latest` (<https://pkg.go.dev/github.com/distribution/reference>).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference {
    registry: String,
    path: String,
    /// Absent where a digest says which one.
    tag: Option<String>,
    digest: Option<String>,
    /// Whether tag or digest were written out.
    is_exact: bool,
    /// Whether it was written as one part, with nothing before and after it.
    is_bare: bool,
}

impl Reference {
    fn of(text: &str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (rest, None),
        };
        let is_exact = tag.is_some() || digest.is_some();
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (first, path.to_owned()),
            Some(_) => ("docker.io", name.to_owned()),
            None => ("docker.io", format!("library/{name}")),
        };
        let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        let is_bare = !name.contains('/') && !is_exact;
        Self { registry: registry.to_owned(), path, tag, digest, is_exact, is_bare }
    }

    /// How exactly `name` means this image; nothing if it means another.
    fn rank(&self, name: &str) -> Option<Rank> {
        let name = Self::of(name);
        let is_same = name.registry == self.registry && name.path == self.path;
        if name.is_exact {
            let holds = |wanted: &Option<String>, held: &Option<String>| wanted.is_none() || wanted == held;
            let is_whole = is_same && holds(&name.digest, &self.digest) && holds(&name.tag, &self.tag);
            return is_whole.then_some(Rank::Whole);
        }
        if is_same {
            return Some(Rank::Repository);
        }
        (name.is_bare && name.last_part() == self.last_part()).then_some(Rank::LastPart)
    }

    fn last_part(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// The repository's last part: no registry, no path, no tag, no digest.
pub fn last_part(image: &str) -> String {
    Reference::of(image).last_part().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(flags: &[&str], stack: &[&str]) -> Mapping {
        // Each name is mapped to a program called like itself, so that an answer says which name was taken.
        let layer = |names: &[&str], folder: &str| -> BTreeMap<String, PathBuf> {
            names.iter().map(|name| ((*name).to_owned(), PathBuf::from(format!("{folder}{name}")))).collect()
        };
        Mapping { flags: layer(flags, ""), stack: layer(stack, "stack:") }
    }

    #[test]
    fn one_name_means_an_image_in_every_spelling_of_its_reference() {
        for (name, image) in [
            ("aws-cli", "amazon/aws-cli"),
            ("aws-cli", "public.ecr.aws/aws-cli/aws-cli:2.15.0"),
            ("amazon/aws-cli", "amazon/aws-cli:2.15.0"),
            ("amazon/aws-cli", "docker.io/amazon/aws-cli@sha256:00"),
            ("docker.io/amazon/aws-cli", "amazon/aws-cli"),
            ("index.docker.io/amazon/aws-cli", "amazon/aws-cli"),
            ("amazon/aws-cli:latest", "amazon/aws-cli"),
            ("amazon/aws-cli", "amazon/aws-cli:latest"),
            ("host:5000/team/app", "host:5000/team/app:v1"),
            ("nginx:1", "docker.io/library/nginx:1"),
            ("team/app@sha256:00", "team/app:v1@sha256:00"),
            ("localhost/app", "localhost/app:1"),
        ] {
            assert_eq!(mapping(&[name], &[]).program(image), Some(Path::new(name)), "{name} for {image}");
        }
    }

    #[test]
    fn another_repository_tag_or_registry_is_another_image() {
        for (name, image) in [
            ("amazon/aws-cli:2", "amazon/aws-cli"),
            ("consumer:1.2", "mycorp/consumer:1.2"),
            ("consumer:1.2", "consumer:1.3"),
            ("other/consumer", "mycorp/consumer"),
            ("host:5000/app", "host:5001/app"),
            ("app", "apps"),
            ("team/app@sha256:00", "team/app@sha256:01"),
        ] {
            assert_eq!(mapping(&[name], &[]).program(image), None, "{name} for {image}");
        }
    }

    #[test]
    fn the_most_exact_name_wins_and_a_flag_over_the_stack_file() {
        let all = mapping(&["consumer", "mycorp/consumer"], &["mycorp/consumer:1.2", "mycorp/consumer", "other"]);
        assert_eq!(all.program("mycorp/consumer:1.2"), Some(Path::new("stack:mycorp/consumer:1.2")));
        assert_eq!(all.program("mycorp/consumer:1.3"), Some(Path::new("mycorp/consumer")));
        assert_eq!(all.program("yours/consumer"), Some(Path::new("consumer")));
        assert_eq!(all.program("yours/other:9"), Some(Path::new("stack:other")));
    }

    #[test]
    fn a_file_that_is_not_there_maps_nothing_and_a_broken_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("images.json");
        assert_eq!(Mapping::load(&path).unwrap(), Mapping::default());
        std::fs::write(&path, "{").unwrap();
        assert!(Mapping::load(&path).is_err());
    }
}
