//! The queue's approximate counts.

use aws::queue::Queue;

use crate::observation::{Counts, Observation, Source};
use crate::observe::Observer;

/// Reads the counts at every turn of the cadence.
pub(crate) async fn observe(observer: Observer, source: Source, url: String) {
    loop {
        read(&observer, source, &url).await;
        observer.settings.clock.sleep(observer.settings.cadence()).await;
    }
}

/// Reads the counts once.
pub(crate) async fn read(observer: &Observer, source: Source, url: &str) {
    match Queue::new(&observer.settings.session, url).counts().await {
        Ok(counts) => {
            let counts = Counts { visible: counts.visible, in_flight: counts.in_flight, delayed: counts.delayed };
            observer.recorder.record(source, Observation::Queue(counts));
        }
        Err(error) => observer.recorder.failure(source, url, error),
    }
}
