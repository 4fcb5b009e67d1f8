//! What keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use ratatui::text::Line;

use super::draw::Manner;
use crate::tone::Tone;

/// What lies over the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overlay {
    /// The decisions, with all their reasons.
    Explain,
    /// The last lines.
    Lines,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Orderly end, as Ctrl-C.
    Quit,
    /// Put messages on the queue.
    Send,
    /// Stop or go on moving the screen.
    Pause,
    /// Show or hide something over it.
    Lay(Overlay),
    /// Hide what lies over it.
    Back,
    /// The next workload.
    Next,
}

/// The keys that have a meaning here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Keys {
    /// Messages may be sent: no scenario counts them.
    pub(super) sends: bool,
    /// There are several workloads.
    pub(super) has_next: bool,
}

impl Keys {
    pub(super) fn action(self, key: KeyEvent) -> Option<Action> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        #[expect(clippy::wildcard_enum_match_arm, reason = "most keys have no meaning here")]
        match key.code {
            KeyCode::Char('q') => Some(Action::Quit),
            KeyCode::Char('s') if self.sends => Some(Action::Send),
            KeyCode::Char('p' | ' ') => Some(Action::Pause),
            KeyCode::Char('e') => Some(Action::Lay(Overlay::Explain)),
            KeyCode::Char('l') => Some(Action::Lay(Overlay::Lines)),
            KeyCode::Esc => Some(Action::Back),
            KeyCode::Tab if self.has_next => Some(Action::Next),
            _ => None,
        }
    }

    /// The keys in a line.
    pub(super) fn line<'a>(self, manner: Manner) -> Line<'a> {
        let pause = if manner.paused { "p go on" } else { "p pause" };
        let mut keys = vec![pause, "e explain", "l lines"];
        if self.sends {
            keys.insert(0, "s send");
        }
        if self.has_next {
            keys.push("Tab next workload");
        }
        if manner.overlay.is_some() {
            keys.push("Esc back");
        }
        keys.push("q quit");
        Line::from(manner.span(Tone::Dim, keys.join("  ")))
    }
}
