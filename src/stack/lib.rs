//! WHAT is wanted: the stack file becomes a validated [`Stack`], its names and tags, and its rendered templates.
//!
//! Entry points: [`load`] (file and overrides to stack), [`Stack::names`], [`policies`] and [`manifests`] (templates to
//! values), [`render`] (any embedded template).
//!
//! Invariants: everything here is a pure function of its arguments (today's date is one); all problems of a file are
//! reported at once; a name never depends on anything but the stack. This is the only crate that knows the template
//! engine; it must not know how anything is created, or which target it lands on.

pub mod chart;
mod checks;
mod file;
pub mod manifests;
pub mod model;
pub mod names;
pub mod network;
pub mod policies;
mod region;
mod templates;
pub mod version;

#[cfg(test)]
mod job_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trigger_tests;

use jiff::civil::Date;

pub use manifests::Manifest;
pub use model::{Consumer, Identity, Stack, Workload};
pub use names::{Names, WorkloadNames};
pub use templates::{Error, render};
pub use yaml::{Origin, Override, Problem, Problems, Setting, nearest};

/// A stack, and what a person may want to know about how it came to be.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The validated stack.
    pub stack: Stack,
    /// Every resolved key with its origin, in the order of reading.
    pub settings: Vec<Setting>,
    /// What is allowed but unwise.
    pub warnings: Vec<Problem>,
}

impl Loaded {
    /// What somebody else finds wrong with the key `key`, placed where it was written in `file`.
    pub fn problem(&self, file: Option<&str>, key: &str, cause: String, next_step: String) -> Problem {
        let origin = yaml::origin(&self.settings, key);
        Problem { file: file.map(str::to_owned), origin, key: key.to_owned(), cause, next_step }
    }
}

/// This program where a stack names no image: what `sluice image save` packs.
pub const IMAGE_DEFAULT: &str = "sluice:latest";

/// The host of the stack's own ECR repository, as a reference that the apply fills in: nobody knows it before.
pub const ECR_REGISTRY: &str = "${aws_ecr_repository.this.registry}";

/// The text of a stack file and its name in messages.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// Name as the user knows it, usually `stack.yaml`.
    pub name: &'a str,
    /// Content.
    pub text: &'a str,
}

/// Reads and validates a stack. `overrides` are laid over the file in order, so the strongest comes last.
/// `today` decides about the support of Kubernetes versions.
///
/// # Errors
///
/// All problems at once.
pub fn load(file: Option<File<'_>>, overrides: &[Override], today: Date) -> Result<Loaded, Problems> {
    let name = file.map(|file| file.name);
    let mut root = yaml::parse(name, file.map_or("", |file| file.text)).map_err(|problem| Problems(vec![*problem]))?;
    let mut findings = yaml::Findings { file: name.map(str::to_owned), ..Default::default() };
    if file.is_some() && root.says_nothing() {
        findings.warning(
            "",
            "the file names no key, so every key has its default",
            "leave the file out if that is meant",
        );
    }
    for over in overrides {
        if let Err(problem) = yaml::lay_over(&mut root, over) {
            findings.problems.push(*problem);
        }
    }
    let stack = file::read(&mut findings, root);
    checks::check(&mut findings, &stack, today);
    if !findings.problems.is_empty() {
        findings.problems.sort_by_key(Problem::position);
        return Err(Problems(findings.problems));
    }
    Ok(Loaded { stack, settings: findings.settings, warnings: findings.warnings })
}
