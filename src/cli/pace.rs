//! What time means to programs that are not Sluice's: the local cloud's may run faster, theirs never does.

use serde_json::json;
use stack::{Consumer, Workload};

use crate::settings::Settings;
use crate::target::Target;
use crate::view::{Tone, View};

/// Says which workloads work in real time while the system's runs faster, and what follows from it.
pub(crate) fn say<'a>(workloads: impl Iterator<Item = &'a Workload>, scale: f64, view: &View) {
    let own: Vec<&Workload> = workloads.collect();
    if own.is_empty() || scale <= 1.0 {
        return;
    }
    let names: Vec<&str> = own.iter().map(|workload| workload.name.as_str()).collect();
    let (verb, whose) = if own.len() > 1 { ("are programs", "their") } else { ("is a program", "its") };
    let hides = own.iter().find_map(|workload| Some((workload, workload.queue.as_ref()?.visibility_timeout_seconds)));
    let of_messages = hides.map_or_else(String::new, |(workload, hidden)| {
        format!(
            ", and a message of {} is hidden for {hidden} s, which is {:.1} s of {whose} time; one in work for longer is \
             received again",
            workload.name,
            f64::from(hidden) / scale
        )
    });
    let text = format!(
        "Note: {} {verb} of your own: {whose} time is real, while the system's runs {scale} times as fast. A `sleep 20` \
         takes {:.0} s of the system{of_messages}. With --time-scale 1 both times are one; \
         {} reports a program the factor.",
        names.join(", "),
        20.0 * scale,
        clock::env::TIME_SCALE,
    );
    view.outcome("real_time", json!({ "workloads": names, "time_scale": scale }), Tone::Change, text);
}

/// The same for what the stack declares, and why time runs slower than usual if it does.
pub(crate) fn say_of_stack(settings: &Settings, target: &Target, view: &View) {
    let scale = target.clock.scale();
    if settings.is_slowed && target.started {
        let text = format!(
            "Time runs {scale} times as fast: cooldown or window of the stack are too short to be evaluated well at a higher scale."
        );
        view.outcome("time_scale", json!({ "time_scale": scale }), Tone::Dim, text);
    }
    say(settings.stack.workloads.iter().filter(|workload| workload.consumer == Consumer::Own), scale, view);
}
