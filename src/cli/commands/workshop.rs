//! `sluice workshop`: the pages of `practice/`, read, walked, checked and solved.
//!
//! A page's commands run in one shell, with this `sluice` first on the path and pointed at the same stack.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clock::Clock;
use futures::FutureExt as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use workshop::{Page, Step};

use crate::arguments::{Global, Practice, TargetName, Workshop};
use crate::diagnostic::{Diagnostic, Outcome, one, preflight};
use crate::env;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::shell::{Done, Shell};
use crate::signals::unless_stopped;
use crate::view::{Answer, Tone, View};
use crate::waiting::{self, Reason};

/// Programs besides `sluice` that the pages call.
const PROGRAMS: [&str; 2] = ["kubectl", "aws"];
/// Real time between two tries of a step that is repeated until it shows what it should.
const RETRY_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn run(
    wanted: &Workshop,
    settings: &Settings,
    global: &Global,
    view: &View,
    stop: CancellationToken,
) -> Outcome {
    let pages = workshop::pages().map_err(one)?;
    let Some(number) = wanted.page else {
        list(&pages, view);
        return Ok(Exit::Done);
    };
    let page = pages.into_iter().find(|page| page.number == number).ok_or_else(|| {
        let text = format!("the workshop has no page {number}");
        vec![Diagnostic::error(text).help("list the pages with `sluice workshop`").exit(Exit::Usage)]
    })?;
    let default = if view.can_ask() { Practice::Walk } else { Practice::Show };
    let action = wanted.action.unwrap_or(default);
    if action == Practice::Walk && !view.can_ask() {
        let help = format!("do all of it with `sluice workshop {number} solve`, or walk it at a terminal");
        let text = "a walk asks before each step, and there is nobody to ask";
        return Err(vec![Diagnostic::error(text).help(help).exit(Exit::Usage)]);
    }
    let last = chosen(&page, action, wanted.step)?;
    let range = match action {
        Practice::Show => {
            show(&page, view);
            return Ok(Exit::Done);
        }
        Practice::Hint => {
            hint(&page.steps[last - 1], view);
            return Ok(Exit::Done);
        }
        Practice::Check => last - 1..last,
        Practice::Setup => 0..last - 1,
        Practice::Walk | Practice::Solve => 0..last,
        Practice::Reset => 0..0,
    };
    let steps: Vec<(usize, &Step)> = (1..).zip(&page.steps).skip(range.start).take(range.len()).collect();
    let walk = Walk { settings, view, asks: action == Practice::Walk, without: &wanted.without, stop: &stop };
    walk.check_left_out(&page)?;
    walk.check_programs(&steps)?;
    let mut shell = start(settings, global)?;
    let walked = if action == Practice::Reset {
        reset(&mut shell, view, &stop).await
    } else {
        walk.all(&mut shell, &steps).await
    };
    if stop.is_cancelled() { interrupted(shell, view).await } else { walked }
}

/// Ends the step that runs, in order: what a `sluice demo` has put up it takes down.
async fn interrupted(shell: Shell, view: &View) -> Outcome {
    shell.interrupt(|line| view.line(line)).await.map_err(one)?;
    let help = "look with `sluice status`; go on with `sluice workshop PAGE walk`, or start over with `reset`";
    Err(vec![Diagnostic::interrupted("the walk ended before its last step").help(help)])
}

/// The step asked for, or the last; some actions are about one step and nothing else.
fn chosen(page: &Page, action: Practice, step: Option<usize>) -> Outcome<usize> {
    let last = page.steps.len();
    let wrong = |text: String| {
        let help = format!("give a step from 1 to {last}; `sluice workshop {} show` numbers them", page.number);
        vec![Diagnostic::error(text).help(help).exit(Exit::Usage)]
    };
    match (action, step) {
        (Practice::Setup | Practice::Check | Practice::Hint, None) => Err(wrong("no step was given".to_owned())),
        (_, Some(step)) if step == 0 || step > last => Err(wrong(format!("the page has no step {step}"))),
        (_, step) => Ok(step.unwrap_or(last)),
    }
}

fn list(pages: &[Page], view: &View) {
    for Page { number, title, steps, file, text: _ } in pages {
        let body = json!({ "number": number, "title": title, "steps": steps.len(), "file": file });
        view.outcome("workshop_page", body, Tone::Plain, format!("{number:>3}  {title} ({} steps)", steps.len()));
    }
    view.print(Tone::Dim, "Walk one with `sluice workshop PAGE`.");
}

fn show(page: &Page, view: &View) {
    view.event("workshop_page", json!({ "page": page }));
    view.line(page.text.trim_end());
    view.print(Tone::Strong, "\nIts steps:");
    for (number, step) in (1..).zip(&page.steps) {
        view.line(format!("{number:>3}  {}: {}", step.heading, step.command.lines().next().unwrap_or_default()));
    }
}

fn hint(step: &Step, view: &View) {
    view.event("workshop_hint", json!({ "step": step }));
    view.line(format!("Run:\n{}", indented(&step.command)));
    let expected = &step.expectation;
    view.line(format!("It ends with exit code {}, and shows in this order, as regular expressions:", expected.exit));
    view.line(indented(&expected.lines.join("\n")));
    if expected.retry_seconds > 0 {
        view.line(format!("That may take up to {} seconds of the system.", expected.retry_seconds));
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// A shell in which `sluice` is this program and works on the same stack.
fn start(settings: &Settings, global: &Global) -> Outcome<Shell> {
    let absolute = |path: &Path| std::path::absolute(path).map(OsString::from).map_err(one);
    let program = std::env::current_exe().map_err(one)?;
    let mut path = program.parent().unwrap_or(Path::new("/")).as_os_str().to_owned();
    path.push(":");
    path.push(env::path().unwrap_or_default());
    let target = match settings.target {
        TargetName::Local => "local",
        TargetName::Localstack => "localstack",
        TargetName::Aws => "aws",
    };
    let mut environment = vec![
        ("PATH", path),
        ("SLUICE_TARGET", target.into()),
        ("SLUICE_STACK", settings.stack.name.clone().into()),
        ("SLUICE_DIRECTORY", absolute(&global.directory)?),
        ("SLUICE_TIME_SCALE", settings.time_scale.to_string().into()),
        ("AWS_REGION", settings.stack.region.clone().into()),
        // The pages promise what a person sees.
        ("SLUICE_OUTPUT", "human".into()),
    ];
    let passed = [
        ("SLUICE_CONTEXT", &global.context),
        ("SLUICE_ENDPOINT", &global.endpoint),
        ("SLUICE_ENDPOINT_FOR_PODS", &global.endpoint_for_pods),
        ("SLUICE_IMAGE", &global.pod_image),
        ("SLUICE_LOCALSTACK_IMAGE", &global.localstack_image),
    ];
    environment.extend(passed.into_iter().filter_map(|(name, value)| Some((name, value.clone()?.into()))));
    if let Some(file) = &global.file {
        environment.push(("SLUICE_FILE", absolute(file)?));
    }
    Shell::start(environment).map_err(|error| {
        preflight(Diagnostic::error(format!("failed to start a shell: {error}")).help("put `sh` on the path"))
    })
}

async fn reset(shell: &mut Shell, view: &View, stop: &CancellationToken) -> Outcome {
    let Done { exit, output } = done(shell, "sluice down --yes", stop).await?;
    view.outcome("workshop_reset", json!({ "exit_code": exit, "output": output }), Tone::Plain, &output);
    Ok(if exit == 0 { Exit::Done } else { Exit::Failed })
}

/// What the command does, unless a signal comes first; then it still runs.
async fn done(shell: &mut Shell, command: &str, stop: &CancellationToken) -> Outcome<Done> {
    unless_stopped(stop, async { shell.run(command).await.map_err(one) }).await
}

/// Going through steps.
struct Walk<'a> {
    settings: &'a Settings,
    view: &'a View,
    asks: bool,
    without: &'a [String],
    stop: &'a CancellationToken,
}

/// What a person wants done with a step.
enum Choice {
    Do,
    Skip,
    Quit,
}

impl Walk<'_> {
    fn skipped_reason(&self, step: &Step) -> Option<&str> {
        self.without.iter().map(String::as_str).find(|program| step.calls(program))
    }

    /// A program that no step of the page calls is a slip, and would leave out nothing.
    fn check_left_out(&self, page: &Page) -> Outcome<()> {
        let unknown = self.without.iter().find(|program| !page.steps.iter().any(|step| step.calls(program)));
        unknown.map_or(Ok(()), |program| {
            let text = format!("no step of page {} calls {program:?}, so --without it leaves out nothing", page.number);
            let help = format!("its steps call sluice, {}", PROGRAMS.join(", "));
            Err(vec![Diagnostic::error(text).help(help).exit(Exit::Usage)])
        })
    }

    /// A missing program is reported before the first step, not in the middle of the page.
    fn check_programs(&self, steps: &[(usize, &Step)]) -> Outcome<()> {
        let missing = |program: &&str| {
            let calls = |(_, step): &(usize, &Step)| self.skipped_reason(step).is_none() && step.calls(program);
            (!env::is_on_path(program))
                .then(|| steps.iter().find(|step| calls(step)).map(|(number, _)| *number))
                .flatten()
        };
        let reported = PROGRAMS.iter().filter_map(|program| {
            let number = missing(program)?;
            let text = format!("step {number} calls {program}, which is not on the path");
            let help = format!("install it, or leave its steps out with `--without {program}`");
            Some(Diagnostic::error(text).help(help).exit(Exit::Preflight))
        });
        let wrong: Vec<Diagnostic> = reported.collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    async fn all(&self, shell: &mut Shell, steps: &[(usize, &Step)]) -> Outcome {
        // A step may have been set up by an earlier call; then the shell has to know where everything is.
        self::done(shell, "eval \"$(sluice env 2>/dev/null)\"", self.stop).await?;
        let (mut done, mut skipped) = (0, 0);
        for (number, step) in steps {
            if let Some(program) = self.skipped_reason(step) {
                let text = format!("Step {number} left out: it calls {program}.");
                self.view.outcome(
                    "workshop_skipped",
                    json!({ "step": number, "program": program }),
                    Tone::Change,
                    text,
                );
                skipped += 1;
                continue;
            }
            self.announce(*number, step);
            match self.ask(step).await {
                Choice::Do => {}
                Choice::Skip => {
                    skipped += 1;
                    continue;
                }
                Choice::Quit => break,
            }
            self.one(shell, *number, step).await?;
            done += 1;
        }
        if self.stop.is_cancelled() {
            return Ok(Exit::Interrupted);
        }
        let text = format!("{done} of {} steps done as the page promises, {skipped} left out.", steps.len());
        let body = json!({ "steps": steps.len(), "done": done, "left_out": skipped });
        self.view.outcome("workshop_summary", body, Tone::Good, text);
        Ok(Exit::Done)
    }

    fn announce(&self, number: usize, step: &Step) {
        self.view.event("workshop_step", json!({ "step": number, "command": step.command, "line": step.line }));
        self.view.print(Tone::Strong, format!("\n{number}. {}", step.heading));
        if self.asks && !step.note.is_empty() {
            self.view.line(&step.note);
        }
        self.view.print(Tone::Dim, indented(&step.command));
    }

    async fn ask(&self, step: &Step) -> Choice {
        if !self.asks {
            return Choice::Do;
        }
        loop {
            let Answer::Line(line) = self.view.ask("Enter does it, h hints, s skips, q quits:", self.stop).await else {
                return Choice::Quit;
            };
            match line.as_str() {
                "" => return Choice::Do,
                "h" => hint(step, self.view),
                "s" => return Choice::Skip,
                "q" => return Choice::Quit,
                _ => {}
            }
        }
    }

    /// Does a step, again and again for as long as the page allows, until it shows what the page promises.
    async fn one(&self, shell: &mut Shell, number: usize, step: &Step) -> Outcome<()> {
        let (what, reason) = (format!("Step {number} is being done"), Reason::default());
        let tries = Box::pin(self.tries(shell, number, step, &reason));
        waiting::with_reason(self.view, &what, &reason, tries).await
    }

    async fn tries(&self, shell: &mut Shell, number: usize, step: &Step, reason: &Reason) -> Outcome<()> {
        let clock = match self.settings.target {
            TargetName::Local => Clock::scaled(self.settings.time_scale),
            TargetName::Localstack | TargetName::Aws => Clock::real(),
        };
        let (start, limit) = (clock.moment(), Duration::from_secs(step.expectation.retry_seconds));
        loop {
            let Done { exit, output } = done(shell, &step.command, self.stop).await?;
            let wrong = match workshop::check(step, exit, &output) {
                Ok(()) => {
                    self.view.outcome(
                        "workshop_done",
                        json!({ "step": number, "output": output }),
                        Tone::Plain,
                        &output,
                    );
                    return Ok(());
                }
                Err(wrong) => wrong,
            };
            if clock.elapsed(start) >= limit {
                let location = format!("step {number} (line {} of the page): {wrong}", step.line);
                let help = format!(
                    "look with `sluice status`; start over with `sluice workshop PAGE reset`, then `setup {number}`"
                );
                return Err(vec![Diagnostic::error(location).help(help)]);
            }
            reason.give(format!("not yet as promised: {wrong}"));
            let pause = Clock::real();
            unless_stopped(self.stop, pause.sleep(RETRY_EVERY).map(Ok)).await?;
        }
    }
}
