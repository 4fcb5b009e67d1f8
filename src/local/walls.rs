//! What the pods of this local cloud are held in by: the strongest walls of the machine, or those that were asked for.

use std::path::Path;

use local_container::{Possible, Walls, gap, possible};

use crate::files::PodWalls;
use crate::{Error, Result, env};

/// The words that start a container, up to its description's file.
pub(crate) fn launcher(program: &Path) -> Vec<String> {
    let parent = nix::unistd::getpid().to_string();
    let program = program.display().to_string();
    vec![program, "local".into(), "exec".into(), "--parent".into(), parent, "--spec".into()]
}

/// Chooses, by trying them in `folder`.
pub(crate) fn choose(program: &Path, folder: &Path) -> Result<PodWalls> {
    let wanted: Option<Walls> = match env::walls() {
        Some(text) => Some(text.parse().map_err(|why| Error::Walls(format!("{}: {why}", env::WALLS)))?),
        None => None,
    };
    if wanted == Some(Walls::None) {
        return Ok(PodWalls { kind: Walls::None, reason: Some(format!("{} says so", env::WALLS)) });
    }
    let Possible { walls, reason } = possible(&launcher(program), program, folder);
    match wanted {
        Some(Walls::Namespaces) if walls != Walls::Namespaces => Err(Error::Walls(format!(
            "{}=namespaces cannot be had on this machine: {}; unset it for the strongest walls there are",
            env::WALLS,
            reason.unwrap_or_default()
        ))),
        Some(Walls::Landlock) if walls == Walls::None => Err(Error::Walls(format!(
            "{}=landlock cannot be had on this machine: its kernel has none, or one before Linux 6.2",
            env::WALLS
        ))),
        Some(Walls::Landlock) => {
            let gap = gap().map(|gap| format!("; {gap}")).unwrap_or_default();
            Ok(PodWalls { kind: Walls::Landlock, reason: Some(format!("{} says so{gap}", env::WALLS)) })
        }
        _ => Ok(PodWalls { kind: walls, reason }),
    }
}
