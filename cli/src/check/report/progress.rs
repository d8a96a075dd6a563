//! What a terminal shows while a check runs.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{io::IsTerminal as _, time::Duration};

/// A line that moves, on a terminal; nothing anywhere else.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// A line that shows nothing yet.
    pub fn new() -> Self {
        Self(None)
    }

    /// Shows what is being done: the first line of a text.
    pub fn show(&mut self, text: &str) {
        if !std::io::stdout().is_terminal() {
            return;
        }
        let bar = self.0.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            // The last frame is for a bar that has ended.
            bar.set_style(ProgressStyle::default_spinner().tick_strings(&["|", "/", "-", "\\", " "]));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        bar.set_message(text.lines().next().unwrap_or_default().to_owned());
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
