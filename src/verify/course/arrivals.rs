//! Load as moments: which message is sent when.

use std::time::Duration;

use super::{Load, Shape, Work};

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arrival {
    /// How long after the beginning, in system time.
    pub(crate) at: Duration,
    pub(crate) body: String,
    /// Whether no worker ever succeeds with it.
    pub(crate) is_poison: bool,
}

/// All messages in the order in which they are sent; `run` is in bodies that nobody wrote.
pub(crate) fn arrivals(load: &[Load], run: &str) -> Vec<Arrival> {
    let mut all: Vec<(f64, &Load)> = Vec::new();
    for one in load {
        all.extend(times(&one.shape).into_iter().map(|time| (one.after_seconds + time, one)));
    }
    all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let arrival = |(index, (at, load)): (usize, (f64, &Load))| Arrival {
        at: Duration::from_secs_f64(at),
        body: body(load, index + 1, run),
        is_poison: load.work == Work::Fails,
    };
    all.into_iter().enumerate().map(arrival).collect()
}

/// Sluice's consumer reads from the first word how often it is to fail.
fn body(load: &Load, number: usize, run: &str) -> String {
    let text = match &load.body {
        Some(body) => body.replace("{n}", &number.to_string()),
        None => format!("{run} message {number}"),
    };
    match load.work {
        Work::Succeeds => text,
        // A body of the user's own is for a program of the user's own.
        Work::Fails if load.body.is_some() => text,
        Work::Fails => format!("poison {text}"),
        Work::FailsFirst(times) => format!("poison:{times} {text}"),
    }
}

/// Seconds from the beginning of the shape.
fn times(shape: &Shape) -> Vec<f64> {
    match *shape {
        Shape::Burst { messages } => vec![0.0; messages as usize],
        Shape::Steady { rate, seconds } => (0..whole(rate * seconds)).map(|n| f64::from(n) / rate).collect(),
        Shape::Ramp { from, to, seconds } => {
            // So many messages by the time t: from·t + (to − from)·t² / (2·seconds); the nth comes when that is n.
            let bend = (to - from) / (2.0 * seconds);
            let at = |n: f64| {
                if bend == 0.0 { n / from } else { ((from * from + 4.0 * bend * n).sqrt() - from) / (2.0 * bend) }
            };
            (1..=whole(f64::midpoint(from, to) * seconds)).map(|n| at(f64::from(n)).min(seconds)).collect()
        }
        Shape::Poisson { rate, seconds, seed } => {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut time = 0.0;
            let mut times = Vec::new();
            loop {
                // Times between independent arrivals are distributed exponentially.
                time += -(1.0 - random.f64()).ln() / rate;
                if time > seconds {
                    return times;
                }
                times.push(time);
            }
        }
    }
}

/// The whole number below; what is short of one by the inexactness of a fraction counts as one.
fn whole(number: f64) -> u32 {
    (number + 1e-6).floor() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(shape: Shape) -> Vec<f64> {
        times(&shape).into_iter().map(|time| (time * 10.0).round() / 10.0).collect()
    }

    #[test]
    fn each_shape_has_its_times() {
        assert_eq!(rounded(Shape::Burst { messages: 2 }), [0.0, 0.0]);
        assert_eq!(rounded(Shape::Steady { rate: 0.1, seconds: 30.0 }), [0.0, 10.0, 20.0]);
        // 10 messages; a quarter of them in the first half.
        let up = rounded(Shape::Ramp { from: 0.0, to: 0.2, seconds: 100.0 });
        assert_eq!(up, [31.6, 44.7, 54.8, 63.2, 70.7, 77.5, 83.7, 89.4, 94.9, 100.0]);
        let down = rounded(Shape::Ramp { from: 0.2, to: 0.0, seconds: 100.0 });
        assert!(down.len() == 10 && down[0] < 6.0 && down.windows(2).all(|pair| pair[0] < pair[1]), "{down:?}");
        assert_eq!(rounded(Shape::Ramp { from: 0.1, to: 0.1, seconds: 20.0 }), [10.0, 20.0]);
    }

    #[test]
    fn random_arrivals_are_the_same_with_the_same_seed_and_have_about_their_rate() {
        let of = |seed| times(&Shape::Poisson { rate: 0.5, seconds: 2000.0, seed });
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
        assert!((900..1100).contains(&of(7).len()), "{}", of(7).len());
    }

    #[test]
    fn messages_of_all_shapes_are_in_order_and_say_how_often_they_fail() {
        let load = |shape, after_seconds, work, body: Option<&str>| Load {
            shape,
            after_seconds,
            work,
            body: body.map(str::to_owned),
        };
        let all = [
            load(Shape::Burst { messages: 1 }, 15.0, Work::FailsFirst(2), None),
            load(Shape::Steady { rate: 0.1, seconds: 30.0 }, 0.0, Work::Succeeds, Some("order {n}")),
            load(Shape::Burst { messages: 1 }, 99.0, Work::Fails, None),
        ];
        let arrivals = arrivals(&all, "run");
        let bodies: Vec<_> = arrivals.iter().map(|one| one.body.as_str()).collect();
        assert_eq!(bodies, ["order 1", "order 2", "poison:2 run message 3", "order 4", "poison run message 5"]);
        assert!(arrivals[4].is_poison && !arrivals[2].is_poison);
    }
}
