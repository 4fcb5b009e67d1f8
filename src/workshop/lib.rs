//! The workshop: pages of `practice/` as steps that a person reads and a program executes.
//!
//! Entry points: [`pages`] gives the embedded pages, [`parse`] reads any page, [`check`] compares a command's output with
//! what the page promises. Running commands is the caller's business.
//!
//! The format is Markdown. A block ```` ```sh run ```` holds commands for a POSIX shell; a block ```` ```text expect ````
//! right after it holds regular expressions, one a line, each of which must match a part of some line of the output, in
//! this order. `run` may be followed by `exit=N` (the exit code, else 0) and `retry=N` (system seconds for which the
//! command is repeated until what is expected holds). Other blocks are only read.
//!
//! This crate must not know processes, files, the clock or the terminal.

mod page;

pub use page::{Error, Expectation, Page, Result, Step, check, parse};

/// The pages in the binary, in order: number, name of the file, text.
const EMBEDDED: [(u32, &str, &str); 1] = [(1, "01-demo.md", include_str!("../../practice/01-demo.md"))];

/// All pages of the workshop.
///
/// # Errors
///
/// Those of [`parse`].
pub fn pages() -> Result<Vec<Page>> {
    EMBEDDED.iter().map(|(number, file, text)| parse(*number, file, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_in_the_folder_is_embedded_and_readable() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../practice");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        files.retain(|name| name.to_string_lossy().ends_with(".md"));
        assert_eq!(files.len(), EMBEDDED.len());
        for (page, (number, file, _)) in pages().unwrap().iter().zip(EMBEDDED) {
            assert!(file.starts_with(&format!("{number:02}-")), "{file}");
            assert!(!page.title.is_empty() && !page.steps.is_empty());
        }
    }

    #[test]
    fn every_command_of_a_page_promises_something() {
        for page in pages().unwrap() {
            for step in page.steps {
                assert!(!step.expectation.lines.is_empty(), "{}: {}", page.file, step.command);
            }
        }
    }
}
