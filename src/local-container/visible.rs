//! What of the machine a program needs to see to run: itself, its interpreter, and what is installed beside them.
//!
//! An image would hold exactly this. Hidden files and the folders that [`visible`] is given to keep out of sight never
//! are among it: a program may lie in a folder with credentials.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::system;

/// Where programs lie in an installation.
const PROGRAM_FOLDERS: [&str; 2] = ["bin", "sbin"];
/// What else an installation consists of.
const INSTALLED: [&str; 10] =
    ["bin", "sbin", "lib", "lib32", "lib64", "libexec", "include", "ssl", "pyvenv.cfg", "conda-meta"];
/// Parts of an installation that are somebody's data in a folder like `~/.local`.
const INSTALLED_DATA: [&str; 2] = ["share", "etc"];
/// Folders that hold everything, so that what lies beside a program there has nothing to do with it.
const SHARED_FOLDERS: [&str; 11] =
    ["/", "/tmp", "/var", "/var/tmp", "/home", "/root", "/opt", "/srv", "/etc", "/run", "/mnt"];
/// A script's first line that is longer names no interpreter (the kernel's own limit).
const FIRST_LINE_MAX: usize = 256;

/// The folders and files that `program` needs besides what every container sees, itself among them. `path` is where
/// interpreters are looked for that are named without a folder; nothing that contains a folder of `hidden` is given.
pub fn visible(program: &Path, path: &str, hidden: &[&Path]) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![program.to_owned()];
    let mut known = BTreeSet::new();
    while let Some(one) = waiting.pop() {
        if !known.insert(one.clone()) {
            continue;
        }
        if !system::holds(&one) {
            found.insert(one.clone());
            found.extend(beside(&one, hidden));
        }
        match std::fs::read_link(&one) {
            Ok(target) => waiting.push(one.parent().unwrap_or(Path::new("/")).join(target)),
            Err(_) => waiting.extend(interpreter(&one, path)),
        }
        waiting.extend(one.canonicalize());
    }
    found.retain(|path| !hidden.iter().any(|hidden| hidden.starts_with(path)));
    found.into_iter().filter(|path| !system::holds(path)).collect()
}

/// What is installed together with a program, or simply lies beside it.
fn beside(program: &Path, hidden: &[&Path]) -> Vec<PathBuf> {
    let Some(folder) = program.parent() else { return Vec::new() };
    let above = folder.parent().unwrap_or(Path::new("/"));
    let is_installed = PROGRAM_FOLDERS.iter().any(|name| folder.ends_with(name));
    let of =
        |parts: &[&str]| parts.iter().map(|part| above.join(part)).filter(|part| part.exists()).collect::<Vec<_>>();
    if is_installed && is_home(above, hidden) {
        return vec![folder.to_owned()];
    }
    if is_installed {
        let is_hidden = above.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let data: &[&str] =
            if is_hidden && above.parent().is_some_and(|home| is_home(home, hidden)) { &[] } else { &INSTALLED_DATA };
        return [of(&INSTALLED), of(data)].concat();
    }
    // This program is alone where it was built.
    let is_own = std::env::current_exe().is_ok_and(|own| own == program);
    if is_own || is_home(folder, hidden) {
        return Vec::new();
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let shown = entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    shown.map(|entry| entry.path()).filter(|path| !hidden.iter().any(|hidden| hidden.starts_with(path))).collect()
}

/// Whether a folder holds a person's, or everybody's, files.
fn is_home(folder: &Path, hidden: &[&Path]) -> bool {
    SHARED_FOLDERS.iter().any(|location| folder == Path::new(location))
        || folder.parent() == Some(Path::new("/home"))
        || hidden.contains(&folder)
}

/// The interpreter that a script names in its first line.
fn interpreter(script: &Path, path: &str) -> Option<PathBuf> {
    let mut start = Vec::new();
    std::fs::File::open(script).ok()?.take(FIRST_LINE_MAX as u64).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line).into_owned();
    let mut words = line.split_whitespace();
    let first = words.next()?;
    if !first.ends_with("/env") {
        return Some(PathBuf::from(first));
    }
    let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    let own = script.parent().map(Path::to_owned);
    let folders = own.into_iter().chain(std::env::split_paths(path));
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_script_brings_its_interpreter_and_that_one_s_installation() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        let at = |path: &str| top.join(path);
        write(&at("python/bin/python3.12"), "");
        write(&at("python/lib/os.py"), "");
        write(&at("venv/pyvenv.cfg"), "");
        write(&at("venv/lib/site.py"), "");
        std::fs::create_dir_all(at("venv/bin")).unwrap();
        std::os::unix::fs::symlink(at("python/bin/python3.12"), at("venv/bin/python")).unwrap();
        write(&at("venv/bin/tool"), &format!("#!{}\n", at("venv/bin/python").display()));
        let seen = visible(&at("venv/bin/tool"), "/usr/bin", &[]);
        for path in ["venv/bin", "venv/lib", "venv/pyvenv.cfg", "python/bin", "python/lib"] {
            assert!(seen.contains(&at(path)), "{path} is not among {seen:?}");
        }
        assert!(!seen.contains(&at("venv")) && !seen.contains(&top));
    }

    #[test]
    fn env_finds_the_interpreter_on_the_path() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        write(&top.join("tools/bin/python3"), "");
        write(&top.join("app/main.py"), "#!/usr/bin/env -S python3 -u\n");
        let path = top.join("tools/bin").display().to_string();
        let seen = visible(&top.join("app/main.py"), &path, &[]);
        assert!(seen.contains(&top.join("tools/bin")), "{seen:?}");
    }

    #[test]
    fn what_lies_beside_a_script_is_seen_but_nothing_hidden_and_no_home() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        for file in
            ["app/main.py", "app/rules.py", "app/.env", "app/.sluice/s/credentials", "app/home/.aws/credentials"]
        {
            write(&top.join(file), "");
        }
        let (state, home) = (top.join("app/.sluice/s"), top.join("app/home"));
        let seen = visible(&top.join("app/main.py"), "", &[&state, &home]);
        assert_eq!(seen, [top.join("app/main.py"), top.join("app/rules.py")]);
        let in_home = visible(&top.join("app/main.py"), "", &[&top.join("app")]);
        assert_eq!(in_home, [top.join("app/main.py")]);
    }

    #[test]
    fn what_every_container_sees_is_not_repeated() {
        assert!(visible(Path::new("/usr/bin/env"), "/usr/bin", &[]).is_empty());
    }
}
