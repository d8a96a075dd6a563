//! Colours and symbols.

use std::io::IsTerminal as _;

/// Whether text is coloured: decided once, from standard output, and true of standard error too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours {
    on: bool,
}

impl Colours {
    /// What fits this process.
    pub fn of_process() -> Self {
        let variable = |name| std::env::var(name).unwrap_or_default();
        Self::decide(std::io::stdout().is_terminal(), &variable("NO_COLOR"), &variable("TERM"))
    }

    /// Colours the symbols at the beginning of lines.
    pub fn symbols(self, text: &str) -> String {
        const STYLES: [(char, &str); 3] = [('\u{221a}', "1;32"), ('\u{203c}', "1;33"), ('\u{d7}', "1;31")];
        let coloured = |line: &str| {
            let style = STYLES.into_iter().find(|(symbol, _)| self.on && line.starts_with(*symbol));
            style.map_or_else(
                || line.to_owned(),
                |(symbol, style)| format!("\u{1b}[{style}m{symbol}\u{1b}[0m{}", &line[symbol.len_utf8()..]),
            )
        };
        text.split_inclusive('\n').map(coloured).collect()
    }

    fn decide(is_terminal: bool, no_color: &str, term: &str) -> Self {
        Self { on: is_terminal && no_color.is_empty() && term != "dumb" }
    }

    /// The same decision, for clap.
    pub fn choice(self) -> clap::ColorChoice {
        if self.on { clap::ColorChoice::Always } else { clap::ColorChoice::Never }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_can_and_may_show_colours_gets_them() {
        assert!(Colours::decide(true, "", "xterm").on);
        assert!(!Colours::decide(false, "", "xterm").on);
        assert!(!Colours::decide(true, "1", "xterm").on);
        assert!(!Colours::decide(true, "", "dumb").on);
    }

    #[test]
    fn symbols_at_the_beginning_of_lines_are_coloured() {
        let text = "\n\u{221a} good\n\u{203c} so \u{d7} so\n";
        assert_eq!(Colours { on: false }.symbols(text), text);
        let coloured = Colours { on: true }.symbols(text);
        assert_eq!(coloured, "\n\u{1b}[1;32m\u{221a}\u{1b}[0m good\n\u{1b}[1;33m\u{203c}\u{1b}[0m so \u{d7} so\n");
    }
}
