//! The terminal while the screen has it: the alternate screen, no echo, no lines; and back as it was, whatever happens.
//!
//! Ctrl-C stays a signal, so that it ends a command as it does without a screen, and reaches the programs that it has started.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::{Mutex, PoisonError};

use crossterm::cursor::{Hide, Show};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios};

/// What makes a special character one that nothing types (termios(3)).
const DISABLED: u8 = 0;

/// The terminal, and how it was before. Taking and giving back twice is as once.
#[derive(Debug, Default)]
pub(super) struct Hold(Mutex<Option<Termios>>);

impl Hold {
    /// Takes the terminal.
    pub(super) fn take(&self) -> io::Result<()> {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if before.is_some() {
            return Ok(());
        }
        let stdin = io::stdin();
        let found = termios::tcgetattr(stdin.as_fd())?;
        let mut raw = found.clone();
        raw.local_flags &= !(LocalFlags::ICANON | LocalFlags::ECHO);
        raw.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        raw.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        // A shell that is put in front of a screen would write into it.
        raw.control_chars[SpecialCharacterIndices::VSUSP as usize] = DISABLED;
        termios::tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &raw)?;
        *before = Some(found);
        execute!(io::stdout(), EnterAlternateScreen, Hide)
    }

    /// Gives it back.
    pub(super) fn give_back(&self) {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(before) = before else { return };
        // A terminal that has gone away needs nothing.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _ = io::stdout().flush();
        let _ = termios::tcsetattr(io::stdin().as_fd(), SetArg::TCSAFLUSH, &before);
    }
}

/// Whether there is a terminal in which a screen can be shown, of at least this size.
pub(super) fn has_room(columns: u16, rows: u16) -> bool {
    // Log lines and diagnostics that are sent elsewhere go there, as without a screen.
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
    is_terminal && crossterm::terminal::size().is_ok_and(|(wide, high)| wide >= columns && high >= rows)
}
