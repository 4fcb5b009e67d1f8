//! A part of a command: what a person sees begin and end, with how long it usually takes.

use clock::Moment;

use crate::durations::Durations;
use crate::screen::Seen;
use crate::settings::Settings;
use crate::target::Target;
use crate::view::View;

/// A part that has begun.
pub(crate) struct Part<'a> {
    name: &'static str,
    begun: Moment,
    settings: &'a Settings,
    target: &'a Target,
    view: &'a View,
}

/// What begins.
pub(crate) struct Opening<'a> {
    /// By which its duration is remembered.
    pub(crate) name: &'static str,
    pub(crate) heading: &'a str,
    /// Lines that are shown of it.
    pub(crate) room: usize,
}

impl<'a> Part<'a> {
    /// Begins a part of several, with its heading.
    pub(crate) fn begin(opening: &Opening<'_>, settings: &'a Settings, target: &'a Target, view: &'a View) -> Self {
        let part = Self { name: opening.name, begun: target.clock.moment(), settings, target, view };
        view.begin_part(opening.heading, opening.room, part.usual());
        part
    }

    /// Begins what is the whole of a command: only a screen says so.
    pub(crate) fn whole(
        name: &'static str,
        heading: &str,
        settings: &'a Settings,
        target: &'a Target,
        view: &'a View,
    ) -> Self {
        let part = Self { name, begun: target.clock.moment(), settings, target, view };
        view.see(|| Seen::Part { name: heading.to_owned(), usual: part.usual() });
        part
    }

    fn usual(&self) -> Option<String> {
        let usual = Durations::load(&self.settings.folder).usual_of_part(self.name)?;
        Some(usual.spelled(|system| self.target.clock.to_real(system)))
    }

    /// It has ended well: how long it took is remembered, and a screen shows that all was done.
    pub(crate) fn done(self) {
        let mut durations = Durations::load(&self.settings.folder);
        durations.add_part(self.name, self.target.clock.elapsed(self.begun));
        durations.save();
        self.view.see(|| Seen::PartDone);
    }
}
