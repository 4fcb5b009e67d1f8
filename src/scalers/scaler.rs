//! The contract of an event source.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;
use keda::decision::Sample;
use keda::metric::Spec;

use crate::error::Result;

/// One trigger that can be read.
pub trait Scaler: Send + Sync {
    /// The external metrics that it gives, with what the HPA holds them at. They may come from the source, so this may
    /// wait, and fail; the caller remembers what it got last.
    fn specs(&self) -> BoxFuture<'_, Result<Vec<Spec>>>;

    /// Reads all its metrics. What was read at most `age` ago (system time), for whomever, will do. Nothing is retried here
    /// beyond what the source's own client does. An error means that nothing could be read.
    fn read(&self, age: Duration) -> BoxFuture<'_, Result<Samples>>;

    /// Says by itself when it becomes active (true) or inactive, if the source can tell. Each item makes its object be polled
    /// at once. A stream that ends is not asked for again before the trigger is built anew.
    fn changes(&self) -> Option<BoxStream<'static, bool>> {
        None
    }
}

/// What one read gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// When it was read, by the wall clock.
    pub at: Timestamp,
    /// By the metric's full name. One of several may fail alone.
    pub by_metric: Vec<(String, Result<Sample>)>,
}

impl Samples {
    /// Of a source with a single metric.
    pub(crate) fn one(at: Timestamp, metric: &str, sample: Sample) -> Self {
        Self { at, by_metric: vec![(metric.to_owned(), Ok(sample))] }
    }

    /// Of a source that is one number, active above `activation`.
    pub(crate) fn number(at: Timestamp, spec: &Spec, value: f64, activation: f64) -> Self {
        let sample = Sample { value, target: spec.target, active: value > activation, activation, parts: Vec::new() };
        Self::one(at, &spec.name, sample)
    }
}
