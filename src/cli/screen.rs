//! The screen of the commands that last: one picture of what happens, redrawn in a terminal.
//!
//! What it shows is a [`model`], folded from the same events that are printed as lines elsewhere; how it looks is `draw`, a pure
//! function of the model. A thread of its own draws and reads keys, so that nothing that waits holds it up.

mod draw;
mod keys;
mod model;
mod seen;
mod terminal;
mod workload;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossterm::event::{self, Event};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::sync::mpsc::UnboundedSender;

use self::draw::{COLUMNS_MIN, Manner, ROWS_MIN};
use self::keys::{Action, Keys, Overlay};
pub(crate) use self::model::Model;
pub(crate) use self::seen::Seen;
use self::terminal::Hold;

/// How often it is drawn.
const FRAME: Duration = Duration::from_millis(150);

/// What a key asks the command for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To end in order.
    Quit,
    /// To put messages on the queue of the workload with this place in the order of the screen.
    Send(usize),
}

/// How a screen is shown.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) coloured: bool,
    /// Messages may be sent by a key.
    pub(crate) sends: bool,
    /// Who is given what keys ask for.
    pub(crate) wishes: UnboundedSender<Wish>,
}

/// A screen that is shown. Dropping it gives the terminal back.
#[derive(Debug)]
pub(crate) struct Screen {
    shared: Arc<Shared>,
    options: Options,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    model: Mutex<Model>,
    hold: Hold,
    /// The thread is to end; it ended if the terminal went away or somebody panicked.
    ended: AtomicBool,
}

impl Shared {
    fn with<T>(&self, work: impl FnOnce(&mut Model) -> T) -> T {
        // A panic elsewhere while it was held leaves a model of whole values.
        work(&mut self.model.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.hold.give_back();
    }
}

/// Whether there is a terminal with room for a screen.
pub(crate) fn has_room() -> bool {
    terminal::has_room(COLUMNS_MIN, ROWS_MIN)
}

impl Screen {
    /// Takes the terminal and begins to draw.
    pub(crate) fn open(model: Model, options: Options) -> io::Result<Self> {
        let shared = Arc::new(Shared { model: Mutex::new(model), hold: Hold::default(), ended: AtomicBool::new(true) });
        let of_panic = Arc::downgrade(&shared);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // Its message belongs where a person reads it, and the command may go on to tidy up.
            if let Some(shared) = of_panic.upgrade() {
                shared.end();
            }
            before(panic);
        }));
        let mut screen = Self { shared, options, thread: None };
        screen.resume()?;
        Ok(screen)
    }

    /// Whether it is shown: not after a panic, and not without its terminal.
    pub(crate) fn is_shown(&self) -> bool {
        !self.shared.ended.load(Ordering::SeqCst)
    }

    /// Takes in what was seen.
    pub(crate) fn see(&self, seen: Seen) {
        self.shared.with(|model| model.see(seen));
    }

    /// Gives the terminal back, for a question or for good. Its thread is still to be waited for.
    pub(crate) fn end(&mut self) -> Option<JoinHandle<()>> {
        self.shared.end();
        self.thread.take()
    }

    /// The last lines that it showed.
    pub(crate) fn last_lines(&self, count: usize) -> Vec<String> {
        self.shared.with(|model| model.last_lines(count))
    }

    /// The same without waiting for the thread, for an end at once.
    pub(crate) fn give_back(&self) {
        self.shared.end();
    }

    /// Takes the terminal (again).
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        self.shared.hold.take().inspect_err(|_| self.shared.end())?;
        self.shared.ended.store(false, Ordering::SeqCst);
        let (shared, options) = (self.shared.clone(), self.options.clone());
        self.thread = Some(std::thread::spawn(move || {
            if let Err(error) = run(&shared, &options) {
                tracing::debug!(%error, "the screen has ended");
            }
            shared.end();
        }));
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        wait(self.end());
    }
}

/// Waits until nothing is drawn any more.
pub(crate) fn wait(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        // One that panicked has given the terminal back.
        let _ = thread.join();
    }
}

/// Draws and reads keys until the end.
fn run(shared: &Shared, options: &Options) -> io::Result<()> {
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    terminal.clear()?;
    let (mut overlay, mut paused): (Option<Overlay>, Option<Model>) = (None, None);
    while !shared.ended.load(Ordering::SeqCst) {
        let keys = shared.with(|live| {
            let keys = Keys { sends: options.sends && live.has_queue(), has_next: live.has_several() };
            let manner = Manner { coloured: options.coloured, keys, overlay, paused: paused.is_some() };
            let shown = paused.as_ref().unwrap_or(live);
            terminal.draw(|frame| draw::draw(shown, manner, frame)).map(|_| keys)
        })?;
        if !event::poll(FRAME)? {
            continue;
        }
        let Event::Key(key) = event::read()? else { continue };
        match keys.action(key) {
            // Whoever waits for wishes has ended: then nothing is wished for.
            Some(Action::Quit) => drop(options.wishes.send(Wish::Quit)),
            Some(Action::Send) => drop(options.wishes.send(Wish::Send(shared.with(|live| live.selected())))),
            Some(Action::Pause) => {
                paused = if paused.is_some() { None } else { Some(shared.with(|live| live.clone())) }
            }
            Some(Action::Lay(wanted)) => overlay = if overlay == Some(wanted) { None } else { Some(wanted) },
            Some(Action::Back) => overlay = None,
            Some(Action::Next) => shared.with(Model::select_next),
            None => {}
        }
    }
    Ok(())
}
