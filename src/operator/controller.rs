//! One [`ScaleLoop`] per ScaledObject and one [`JobLoop`] per ScaledJob, as long as the object exists, and the numbers of all of them.

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use clock::Clock;
use futures::FutureExt;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, PAUSE_MAX};
use crate::caches::Change;
use crate::context::Context;
use crate::job_loop::JobLoop;
use crate::key::{Key, Reference};
use crate::life::Turns;
use crate::owner::{SCALED_JOB, SCALED_OBJECT};
use crate::scale_loop::ScaleLoop;
use crate::stop::unless_stopped;
use crate::totals::Totals;
use crate::wake::Wake;

/// Runs until `stop`; every loop has ended when it returns.
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let mut changes = context.caches.subscribe();
    let totals = Totals::new(Arc::clone(&context.telemetry));
    let (loops, tasks) = (HashMap::new(), JoinSet::new());
    let mut controller = Controller { context, stop: stop.clone(), loops, tasks, totals };
    controller.look_at_all();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            change = changes.recv() => match change {
                Ok(change) => controller.heard(&change),
                // Too many changes to be handled one by one.
                Err(RecvError::Lagged(_)) => controller.look_at_all(),
                Err(RecvError::Closed) => break,
            },
            Some(ended) = controller.tasks.join_next() => controller.ended(ended),
        }
    }
    // The loops end by themselves, and none is started again.
    while controller.tasks.join_next().await.is_some() {}
}

struct Controller {
    context: Arc<Context>,
    stop: CancellationToken,
    loops: HashMap<Reference, Arc<Wake>>,
    tasks: JoinSet<Reference>,
    totals: Totals,
}

impl Controller {
    fn heard(&mut self, change: &Change) {
        match change {
            Change::ScaledObject(key) => self.has_changed(&of(SCALED_OBJECT, key)),
            Change::ScaledJob(key) => self.has_changed(&of(SCALED_JOB, key)),
            Change::Autoscaler(key) => self.wake(&of(SCALED_OBJECT, key), true),
            Change::Credentials(reference) => {
                self.totals.learn(&self.context, reference);
                // Their triggers are built again, and may be in order now.
                for user in self.context.caches.users.of(reference) {
                    self.wake(&user, true);
                }
            }
            Change::Health(key) => self.wake(&of(SCALED_OBJECT, key), false),
            // A template changes with each scaling. It matters where something is wrong, and else to the next reading.
            Change::Inputs { user, are_values } => self.wake(user, *are_values),
            // Nothing of a loop depends on it, and no total.
            Change::Consumers(_) => {}
        }
    }

    fn has_changed(&mut self, object: &Reference) {
        self.totals.learn(&self.context, object);
        self.wake(object, false);
    }

    fn look_at_all(&mut self) {
        let known: Vec<_> = self.loops.keys().cloned().collect();
        let caches = &self.context.caches;
        let objects = caches.scaled_objects.keys().into_iter().map(|key| Reference { kind: SCALED_OBJECT, key });
        let jobs = caches.scaled_jobs.keys().into_iter().map(|key| Reference { kind: SCALED_JOB, key });
        for object in objects.chain(jobs).chain(known).collect::<std::collections::BTreeSet<_>>() {
            self.wake(&object, true);
        }
        self.totals.learn_all(&self.context);
    }

    /// Wakes the object's loop, or starts one. `again`: reconcile even if the object itself has not changed.
    fn wake(&mut self, object: &Reference, again: bool) {
        if let Some(wake) = self.loops.get(object) {
            return wake.up(again);
        }
        if !self.context.caches.has_owner(object) {
            return;
        }
        let wake = Arc::new(Wake::default());
        self.loops.insert(object.clone(), Arc::clone(&wake));
        if object.kind == SCALED_JOB {
            self.begin::<JobLoop>(object, wake);
        } else {
            self.begin::<ScaleLoop>(object, wake);
        }
    }

    fn begin<T: Turns + 'static>(&mut self, object: &Reference, wake: Arc<Wake>) {
        let (context, object, stop) = (Arc::clone(&self.context), object.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let begin = || T::new(Arc::clone(&context), object.key.clone(), stop.clone()).run(Arc::clone(&wake));
            supervised(&context.clock, &stop, &object, begin).await;
            object
        });
    }

    fn ended(&mut self, ended: Result<Reference, tokio::task::JoinError>) {
        if let Ok(object) = ended {
            self.loops.remove(&object);
            // Made again under the same name meanwhile.
            self.wake(&object, true);
        }
    }
}

fn of(kind: &'static str, key: &Key) -> Reference {
    Reference { kind, key: key.clone() }
}

/// Runs what `begin` gives until it ends. A panic in one object's loop must not take the others down, and must not
/// come again at once: the loop is begun anew after a pause that grows.
async fn supervised<F>(clock: &Clock, stop: &CancellationToken, object: &Reference, begin: impl Fn() -> F)
where
    F: Future<Output = ()> + Send,
{
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        let started = clock.moment();
        // Nothing of what broke is used again.
        let Err(panic) = AssertUnwindSafe(begin()).catch_unwind().await else { return };
        if clock.elapsed(started) > PAUSE_MAX {
            backoff.reset();
        }
        let pause = backoff.fail(clock.moment());
        let error = message(&*panic);
        tracing::error!(%object, error, pause_seconds = pause.as_secs(), "the scale loop broke; starting it again after a pause");
        let _ = unless_stopped(stop, clock.sleep(pause)).await;
    }
}

/// What a panic says of itself.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests;
