//! Work that ends where a shutdown begins.

use tokio_util::sync::CancellationToken;

/// The output of `work`; `None` as soon as `stop` is cancelled, even if `work` could go on at that moment.
pub(crate) async fn unless_stopped<F: Future>(stop: &CancellationToken, work: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        output = work => Some(output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_begun_after_the_stop() {
        let stop = CancellationToken::new();
        assert_eq!(unless_stopped(&stop, async { 1 }).await, Some(1));
        stop.cancel();
        let mut is_begun = false;
        assert_eq!(unless_stopped(&stop, async { is_begun = true }).await, None);
        assert!(!is_begun);
    }
}
