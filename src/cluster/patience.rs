//! How long an API server that does not let us in is waited for. Pure.

use std::time::Duration;

use clock::Moment;

use crate::error::Error;

/// DNS of a new EKS endpoint comes up to two minutes after the cluster is ACTIVE, and a resolver may keep the answer from before
/// (`docs/rules.md#eks-endpoint-of-a-new-cluster`).
const UNREADY: Duration = Duration::from_mins(10);
/// An access entry works everywhere within seconds (`docs/rules.md#eks-endpoint-of-a-new-cluster`): who is refused for so long, and
/// never let in, stays refused.
const REFUSED: Duration = Duration::from_mins(3);

/// Since when a cluster's API server has not let us in; shared by everything that waits for it, so that one after another does not
/// wait anew.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    unready: Option<Moment>,
    /// Since when it has given no other answer than a refusal of our credentials.
    refused: Option<Moment>,
}

impl Patience {
    /// Takes a look in that failed. The error to end with, once waiting longer does not help.
    pub(crate) fn end(&mut self, error: &Error, now: Moment) -> Option<Error> {
        let is_refusal = matches!(error.code(), Some(401 | 403));
        let unready = now.since(*self.unready.get_or_insert(now));
        self.refused = is_refusal.then(|| self.refused.unwrap_or(now));
        let refused = self.refused.map_or(Duration::ZERO, |since| now.since(since));
        let gave_up = |what: &str, waited: Duration, next: &str| Error::Deadline {
            what: what.to_owned(),
            seconds: waited.as_secs(),
            last: format!("{error}{next}"),
        };
        match () {
            () if refused >= REFUSED => Some(gave_up(
                "the API server to let this identity in",
                refused,
                "; look at the cluster's access entries (`aws eks list-access-entries`), and at this machine's clock, by which \
                 tokens are signed",
            )),
            () if unready >= UNREADY => Some(gave_up("the API server", unready, "")),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clock::Clock;

    use super::*;

    fn refusal(code: u16) -> Error {
        Error::Refused {
            action: "look".into(),
            message: "Unauthorized".into(),
            reason: "Unauthorized".into(),
            code,
            next_step: "",
        }
    }

    fn silence() -> Error {
        Error::Unreachable { server: "https://x".into(), action: "look".into(), cause: "no such host".into() }
    }

    /// After how many seconds of these answers, one each ten seconds and over again, waiting ends.
    fn ends(answers: &[Error]) -> u64 {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut patience = Patience::default();
        for (seconds, error) in (0..).step_by(10).zip(answers.iter().cycle()) {
            if patience.end(error, clock.moment()).is_some() {
                return seconds;
            }
            handle.advance(Duration::from_secs(10));
        }
        unreachable!("it never ends")
    }

    #[test]
    fn who_is_only_refused_gives_up_long_before_who_gets_no_answer() {
        assert_eq!(ends(&[refusal(401)]), 180);
        assert_eq!(ends(&[refusal(403), refusal(401)]), 180);
        assert_eq!(ends(&[silence()]), 600);
        assert_eq!(ends(&[refusal(500)]), 600);
        // Refused by a server that is not there all the time: it may be another one yet.
        assert_eq!(ends(&[refusal(401), silence()]), 600);
    }

    #[test]
    fn whoever_waits_next_does_not_wait_anew() {
        let (clock, handle) = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let mut patience = Patience::default();
        assert!(patience.end(&refusal(401), clock.moment()).is_none());
        handle.advance(Duration::from_secs(200));
        let first = patience.end(&refusal(401), clock.moment()).unwrap().to_string();
        assert!(first.contains("to let this identity in after 200 s") && first.contains("access entries"), "{first}");
        handle.advance(Duration::from_secs(1));
        assert!(patience.end(&refusal(401), clock.moment()).is_some());
    }
}
