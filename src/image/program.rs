//! An executable and the files that its loader maps: found by reading headers, without running anything.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use lddtree::DependencyAnalyzer;

use crate::error::{Error, Result};

/// Folders that loaders search whatever their configuration says.
const FOLDERS_BUILT_IN: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];
/// What glibc loads by itself, named in no header, to resolve host names. From 2.34 on it has them built in.
const LOADED_FOR_NAMES: [&str; 3] = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"];

/// What a program is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// x86-64, the only one that Fargate runs for EKS (aws/containers-roadmap 1629).
    Amd64,
    /// AArch64.
    Arm64,
}

impl Architecture {
    /// As images and Kubernetes name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// From an ELF header: class (64 bits), byte order (little) and machine (System V ABI, "ELF Header": `e_machine` at 18).
    fn read(path: &Path) -> Result<Self> {
        let mut header = [0; 20];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
        read.map_err(|cause| Error::Read { path: path.to_owned(), cause })?;
        match (&header[..6], &header[18..]) {
            (b"\x7fELF\x02\x01", [62, 0]) => Ok(Self::Amd64),
            (b"\x7fELF\x02\x01", [183, 0]) => Ok(Self::Arm64),
            _ => Err(Error::OtherArchitecture { path: path.to_owned() }),
        }
    }
}

/// A program and what it needs beside itself.
#[derive(Debug, Clone)]
pub struct Program {
    pub(crate) path: PathBuf,
    architecture: Architecture,
    /// The loader and the libraries, from the path that the loader will ask for to the file with the content.
    pub(crate) libraries: BTreeMap<PathBuf, PathBuf>,
}

impl Program {
    /// The program that runs this code.
    ///
    /// # Errors
    ///
    /// [`Error::NotLinux`] on another system. [`Error::Program`] if the program's file is gone. Otherwise those of
    /// [`Program::at`].
    pub fn running() -> Result<Self> {
        if std::env::consts::OS != "linux" {
            return Err(Error::NotLinux(std::env::consts::OS));
        }
        let path = std::env::current_exe().map_err(Error::Program)?;
        // The path of a file that was replaced while it ran leads nowhere.
        path.metadata().map_err(Error::Program)?;
        Self::at(&path)
    }

    /// The program of this file. A statically linked one has no libraries.
    ///
    /// # Errors
    ///
    /// [`Error::Headers`] if the file is no readable ELF executable. [`Error::Library`] if a library that it loads is
    /// not on this machine.
    pub fn at(path: &Path) -> Result<Self> {
        let architecture = Architecture::read(path)?;
        let headers = |cause| Error::Headers { path: path.to_owned(), cause };
        // Debian's loader has the folder of its architecture built in; `ld.so.conf` need not be there to say so.
        let machine = match architecture {
            Architecture::Amd64 => "x86_64",
            Architecture::Arm64 => "aarch64",
        };
        let multiarch = format!("{machine}-linux-gnu");
        let folders = ["/lib", "/usr/lib"].map(|folder| Path::new(folder).join(&multiarch));
        let tree = DependencyAnalyzer::default().library_paths(folders.to_vec()).analyze(path).map_err(headers)?;
        let mut libraries = BTreeMap::new();
        // The loader is asked for by its full path, and is there already when a library names it.
        let loader = tree.interpreter.map(PathBuf::from);
        let loader_name = loader.as_deref().and_then(Path::file_name).map(OsStr::to_owned);
        for (name, library) in &tree.libraries {
            let missing = || Error::Library { program: path.to_owned(), library: name.clone() };
            let real = library.realpath.clone().ok_or_else(missing)?;
            let location = match &loader {
                Some(loader) if loader_name.as_deref() == Some(OsStr::new(name)) => loader.clone(),
                _ => library.path.clone(),
            };
            libraries.insert(location, real);
        }
        let mut program = Self { path: path.to_owned(), architecture, libraries };
        program.add_name_resolution();
        Ok(program)
    }

    /// What it is built for, whatever this machine is.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Adds the libraries of [`LOADED_FOR_NAMES`] that this machine's glibc has.
    fn add_name_resolution(&mut self) {
        let Some(folder) = self.folder_of("libc.so.6") else { return };
        for name in LOADED_FOR_NAMES {
            let location = folder.join(name);
            if let Ok(real) = std::fs::canonicalize(&location) {
                self.libraries.insert(location, real);
            }
        }
    }

    fn folder_of(&self, name: &str) -> Option<PathBuf> {
        let location = self.libraries.keys().find(|location| location.file_name() == Some(OsStr::new(name)))?;
        location.parent().map(Path::to_owned)
    }

    /// Folders of libraries that the loader finds on this machine by `ld.so.conf` or a run path, and in the image, where
    /// its cache is missing, only if an argument says so.
    pub(crate) fn folders_outside_defaults(&self) -> BTreeSet<PathBuf> {
        let libc = self.folder_of("libc.so.6");
        let is_known = |folder: &Path| {
            libc.as_deref() == Some(folder) || FOLDERS_BUILT_IN.iter().any(|known| folder == Path::new(known))
        };
        let folders = self.libraries.keys().filter_map(|location| location.parent());
        folders.filter(|folder| !is_known(folder)).map(Path::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_program_comes_with_its_loader_and_its_libraries() {
        // The test itself is such a program on every machine that has glibc.
        let program = Program::running().unwrap();
        let names: Vec<String> = program.libraries.keys().map(|location| location.display().to_string()).collect();
        assert!(names.iter().any(|name| name.ends_with("/libc.so.6")), "{names:?}");
        let loaders: Vec<_> = names.iter().filter(|name| name.contains("/ld-linux")).collect();
        assert_eq!(loaders.len(), 1, "the loader once, at the path that the program names: {names:?}");
        assert!(program.libraries.values().all(|file| file.is_file()));
    }

    #[test]
    fn only_folders_outside_the_loaders_own_are_reported() {
        let location = |path: &str| (PathBuf::from(path), PathBuf::from(path));
        let libraries = BTreeMap::from([
            location("/lib64/ld-linux-x86-64.so.2"),
            location("/lib/x86_64-linux-gnu/libc.so.6"),
            location("/opt/vendor/lib/libgcc_s.so.1"),
        ]);
        let program = Program { path: "/bin/x".into(), architecture: Architecture::Amd64, libraries };
        assert_eq!(program.folders_outside_defaults(), BTreeSet::from([PathBuf::from("/opt/vendor/lib")]));
    }

    /// The test's own file as if it had been built for another machine.
    fn built_for(machine: u8) -> tempfile::NamedTempFile {
        let mut bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap()[..64].to_vec();
        bytes[18] = machine;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn the_architecture_is_the_programs_and_not_this_machines() {
        assert_eq!(Architecture::read(built_for(62).path()).unwrap(), Architecture::Amd64);
        assert_eq!(Architecture::read(built_for(183).path()).unwrap(), Architecture::Arm64);
        let own = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::Amd64 };
        assert_eq!(Program::running().unwrap().architecture(), own);
        // RISC-V: Linux knows it, Fargate and our image do not.
        let error = Program::at(built_for(243).path()).unwrap_err();
        assert!(matches!(error, Error::OtherArchitecture { .. }), "{error}");
    }

    #[test]
    fn what_is_no_program_for_linux_is_refused() {
        for text in [
            "#!/bin/sh\nexec sleep 1000\n",
            "MZ\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            let error = Program::at(file.path()).unwrap_err();
            assert!(matches!(error, Error::OtherArchitecture { .. }), "{error}");
            assert!(error.to_string().contains("Linux"), "{error}");
        }
    }
}
