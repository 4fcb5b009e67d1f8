//! The screens of the commands that last: what each is called, and what its keys do.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::screen::{Model, Wish};
use crate::settings::Settings;
use crate::target::Target;
use crate::view::{OnScreen, View, Wishes};

/// Lines of what was watched that stay in the terminal.
const WATCHED: usize = 30;

/// The screen of a command that ends by itself: `q` ends it as Ctrl-C does.
pub(super) fn screen(command: &str, settings: &Settings, target: &Target, view: &View) -> Option<OnScreen> {
    let (screen, mut wishes) = view.open_screen(model(command, settings, target), false, 0)?;
    tokio::spawn(async move {
        while let Some(wish) = wishes.recv().await {
            match wish {
                // The only process with this id; if it could not be signalled, Ctrl-C still ends it.
                Wish::Quit => drop(kill(Pid::this(), Signal::SIGINT)),
                Wish::Send(_) => {}
            }
        }
    });
    Some(screen)
}

/// The screen of `watch`, whose keys its command serves.
pub(super) fn watch(settings: &Settings, target: &Target, view: &View) -> Option<(OnScreen, Wishes)> {
    view.open_screen(model("watch", settings, target), true, WATCHED)
}

fn model(command: &str, settings: &Settings, target: &Target) -> Model {
    let scale = target.clock.scale();
    let pace = if scale > 1.0 { format!(" · time {scale}x as fast") } else { String::new() };
    let name = format!("{:?}", settings.target).to_lowercase();
    let title = format!("sluice {command} · {} · {name}, {}{pace}", settings.stack.name, settings.stack.region);
    Model::new(title, &clock::Clock::real(), scale)
}
