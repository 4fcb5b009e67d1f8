//! Sets of completion indexes, as a Job's status and success policy write them: `0-2,5`.

use std::collections::BTreeSet;

/// Parses `1,3-5`; parts that are not numbers and indexes from `completions` on are left out.
pub(super) fn parse(text: &str, completions: usize) -> BTreeSet<usize> {
    let mut indexes = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            indexes.extend((first..=last).take_while(|index| *index < completions));
        }
    }
    indexes
}

/// Runs of two are written `0,1`, longer ones `0-2`, as the real controller writes them.
pub(super) fn render(indexes: &BTreeSet<usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => runs.push((index, index)),
        }
    }
    let written = runs.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    });
    written.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_as_runs_and_read_back() {
        for text in ["", "0", "0,1", "0-2", "0-2,5", "1,3-7,9,10"] {
            assert_eq!(render(&parse(text, 20)), text);
        }
        assert_eq!(render(&parse("0-30", 4)), "0-3");
        assert_eq!(render(&parse("x,2", 4)), "2");
    }
}
