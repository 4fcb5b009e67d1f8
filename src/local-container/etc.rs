//! The files in `/etc` that are a container's own.

use std::path::Path;

use crate::spec::Spec;
use crate::tree::Tree;
use crate::{Result, refused};

/// Makes them, unless a volume lies there.
pub(crate) fn make(tree: &Tree, spec: &Spec) -> Result<()> {
    let files = [
        ("/etc/hostname", format!("{}\n", spec.hostname)),
        ("/etc/hosts", spec.hosts.clone()),
        ("/etc/passwd", users(spec)),
        ("/etc/group", groups(spec.group)),
    ];
    for (path, text) in files {
        tree.file(Path::new(path), &text)?;
    }
    let names = Path::new("/etc/resolv.conf");
    // The machine's is often a link to a place that a container does not see.
    if names.exists() {
        let text = std::fs::read_to_string(names).map_err(refused("read /etc/resolv.conf"))?;
        tree.file(names, &text)?;
    }
    Ok(())
}

fn users(spec: &Spec) -> String {
    let Spec { user, group, home, .. } = spec;
    let home = home.display();
    let own =
        if [0, 65534].contains(user) { String::new() } else { format!("user:x:{user}:{group}::{home}:/bin/sh\n") };
    format!("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n{own}")
}

fn groups(group: u32) -> String {
    let own = if [0, 65534].contains(&group) { String::new() } else { format!("user:x:{group}:\n") };
    format!("root:x:0:\nnogroup:x:65534:\n{own}")
}
