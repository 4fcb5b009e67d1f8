//! One [`ScaleLoop`] per ScaledObject, as long as the object exists, and the numbers of all of them.

use std::collections::HashMap;
use std::sync::Arc;

use clock::Clock;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::backoff::{Backoff, PAUSE_MAX};
use crate::caches::Change;
use crate::context::Context;
use crate::key::{Key, Reference};
use crate::owner::SCALED_OBJECT;
use crate::scale_loop::{ScaleLoop, Wake};
use crate::stop::unless_stopped;
use crate::totals::Totals;

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
    loops: HashMap<Key, Arc<Wake>>,
    tasks: JoinSet<Key>,
    totals: Totals,
}

impl Controller {
    fn heard(&mut self, change: &Change) {
        match change {
            Change::ScaledObject(key) => {
                self.totals.learn(&self.context, &Reference { kind: SCALED_OBJECT, key: key.clone() });
                self.wake(key, false);
            }
            Change::Autoscaler(key) => self.wake(key, true),
            Change::Credentials(reference) => {
                self.totals.learn(&self.context, reference);
                // Their triggers are built again, and may be in order now.
                for user in self.context.caches.users.of(reference) {
                    if user.kind == SCALED_OBJECT {
                        self.wake(&user.key, true);
                    }
                }
            }
            Change::Health(key) => self.wake(key, false),
            // A template changes with each scaling. It matters where something is wrong, and else to the next reading.
            Change::Inputs { user, are_values } if user.kind == SCALED_OBJECT => self.wake(&user.key, *are_values),
            // Nothing of a loop depends on it, and no total.
            Change::Inputs { .. } | Change::Consumers(_) => {}
        }
    }

    fn look_at_all(&mut self) {
        let known: Vec<_> = self.loops.keys().cloned().collect();
        let there = self.context.caches.scaled_objects.all().into_iter().map(|object| Key::of(&object.metadata));
        for key in there.chain(known).collect::<std::collections::BTreeSet<_>>() {
            self.wake(&key, true);
        }
        self.totals.learn_all(&self.context);
    }

    /// Wakes the object's loop, or starts one. `again`: reconcile even if the object itself has not changed.
    fn wake(&mut self, key: &Key, again: bool) {
        if let Some(wake) = self.loops.get(key) {
            return wake.up(again);
        }
        if self.context.caches.scaled_objects.get(key).is_none() {
            return;
        }
        let wake = Arc::new(Wake::default());
        self.loops.insert(key.clone(), Arc::clone(&wake));
        let (context, key, stop) = (Arc::clone(&self.context), key.clone(), self.stop.child_token());
        self.tasks.spawn(async move {
            let begin = || ScaleLoop::new(Arc::clone(&context), key.clone(), stop.clone()).run(Arc::clone(&wake));
            supervised(&context.clock, &stop, &key, begin).await;
            key
        });
    }

    fn ended(&mut self, ended: Result<Key, tokio::task::JoinError>) {
        if let Ok(key) = ended {
            self.loops.remove(&key);
            // Made again under the same name meanwhile.
            self.wake(&key, true);
        }
    }
}

/// Runs what `begin` gives until it ends. A panic in one object's loop must not take the others down, and must not
/// come again at once: the loop is begun anew after a pause that grows.
async fn supervised<F>(clock: &Clock, stop: &CancellationToken, key: &Key, begin: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        let started = clock.moment();
        // Dropped with its supervisor, it is aborted.
        match AbortOnDropHandle::new(tokio::spawn(begin())).await {
            Err(error) if error.is_panic() => {
                if clock.elapsed(started) > PAUSE_MAX {
                    backoff.reset();
                }
                let pause = backoff.fail(clock.moment());
                tracing::error!(scaled_object = %key, error = %error, pause_seconds = pause.as_secs(), "the scale loop broke; starting it again after a pause");
                let _ = unless_stopped(stop, clock.sleep(pause)).await;
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests;
