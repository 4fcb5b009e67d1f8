//! What text is dressed in, and its colours in a terminal.

/// What text is dressed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it is.
    Plain,
    /// Good news.
    Good,
    /// A change, a warning.
    Change,
    /// Bad news.
    Bad,
    /// Less important.
    Dim,
    /// A heading.
    Strong,
}

/// `text` in the colour of `tone`, where colours are shown.
pub(crate) fn dressed(tone: Tone, text: &str, coloured: bool) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Good => "32",
        Tone::Change => "33",
        Tone::Bad => "31",
        Tone::Dim => "2",
        Tone::Strong => "1",
    };
    if coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}
