//! Every environment variable that this crate reads itself. (The loader's own, `LD_LIBRARY_PATH`, is read where the
//! loader's rules are: in `lddtree`.)

use std::path::PathBuf;

/// The folder of Docker's configuration.
const DOCKER_CONFIG: &str = "DOCKER_CONFIG";
/// Where that folder is if [`DOCKER_CONFIG`] is unset.
const HOME: &str = "HOME";

/// The file in which `docker login` keeps credentials, or the names of the helpers that do.
pub(crate) fn docker_config() -> Option<PathBuf> {
    let named = std::env::var_os(DOCKER_CONFIG).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = named.or_else(|| Some(PathBuf::from(std::env::var_os(HOME)?).join(".docker")));
    folder.map(|folder| folder.join("config.json"))
}
