//! How much is shown where all of it would be too much: each part of a command has room for so many lines, and the rest is in
//! the log, whose path is named where the room ends.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::Weight;

/// What may still be shown. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Brief(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Where the rest is.
    log: Option<PathBuf>,
    /// Lines that the current part may still show; `None` where there are no parts, and everything is shown.
    left: Option<usize>,
    /// That it has ended was said.
    is_over: bool,
}

/// What becomes of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) is_shown: bool,
    /// That the rest is elsewhere; said once.
    pub(super) remark: Option<String>,
}

impl Brief {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere while it was held leaves whole values.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn names(&self, log: &Path) {
        self.with(|state| state.log = Some(log.to_owned()));
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        self.with(|state| state.log.clone())
    }

    /// Begins a part. What cannot be read elsewhere is not left out.
    pub(super) fn begin(&self, room: usize) {
        self.with(|state| (state.left, state.is_over) = (state.log.is_some().then_some(room), false));
    }

    pub(super) fn has_parts(&self) -> bool {
        self.with(|state| state.left.is_some())
    }

    /// Whether a text of this weight is shown, which takes its lines from the room.
    pub(super) fn room_for(&self, weight: Weight, text: &str) -> Room {
        let shown = |is_shown| Room { is_shown, remark: None };
        self.with(|state| {
            let Some(left) = &mut state.left else {
                return shown(!matches!(weight, Weight::Gist | Weight::Detail));
            };
            let lines = text.lines().count().max(1);
            match weight {
                Weight::Last => shown(true),
                Weight::Detail | Weight::Minor => shown(false),
                Weight::Usual | Weight::Gist if state.is_over => shown(false),
                Weight::Usual | Weight::Gist if lines <= *left => {
                    *left -= lines;
                    shown(true)
                }
                Weight::Usual | Weight::Gist => {
                    state.is_over = true;
                    let path = state.log.as_deref().unwrap_or(Path::new("")).display();
                    Room { is_shown: false, remark: Some(format!("… the rest of this part is in {path}")) }
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(brief: &Brief, weight: Weight, text: &str) -> bool {
        let room = brief.room_for(weight, text);
        assert_eq!(room.remark, None, "{text}");
        room.is_shown
    }

    #[test]
    fn without_parts_everything_is_shown_but_what_only_stands_for_it() {
        let brief = Brief::default();
        for weight in [Weight::Minor, Weight::Usual, Weight::Last] {
            assert!(shown(&brief, weight, "a"), "{weight:?}");
        }
        assert!(!shown(&brief, Weight::Gist, "a") && !shown(&brief, Weight::Detail, "a"));
        // There is no log that would have the rest.
        brief.begin(0);
        assert!(shown(&brief, Weight::Usual, "a"));
    }

    #[test]
    fn a_part_shows_as_many_lines_as_it_has_room_for_and_says_once_where_the_rest_is() {
        let brief = Brief::default();
        brief.names(Path::new("one.log"));
        brief.begin(4);
        assert!(!shown(&brief, Weight::Minor, "a") && !shown(&brief, Weight::Detail, "a"));
        assert!(shown(&brief, Weight::Usual, "a\nb") && shown(&brief, Weight::Gist, "a\nb"));
        let full = brief.room_for(Weight::Usual, "a\nb");
        assert_eq!(full, Room { is_shown: false, remark: Some("… the rest of this part is in one.log".to_owned()) });
        assert!(!shown(&brief, Weight::Usual, "a") && shown(&brief, Weight::Last, "a"));
        brief.begin(1);
        assert!(shown(&brief, Weight::Usual, "a"));
    }
}
