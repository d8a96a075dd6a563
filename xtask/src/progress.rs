//! What a person sees while something takes long: its name and the time it has taken so far.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// On a terminal the line is redrawn; elsewhere (CI) a line now and then shows that it is alive.
const TERMINAL_PERIOD: Duration = Duration::from_secs(1);
const LOG_PERIOD: Duration = Duration::from_secs(30);

/// A long step without output of its own. Shows elapsed time until it is finished or dropped.
pub struct Step {
    name: String,
    started: Instant,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Step {
    pub fn start(name: impl Into<String>) -> Self {
        let name = name.into();
        let started = Instant::now();
        let (stop, stopped) = mpsc::channel();
        let label = name.clone();
        let terminal = std::io::stderr().is_terminal();
        eprintln!("  {name} …");
        let thread = std::thread::spawn(move || {
            let period = if terminal { TERMINAL_PERIOD } else { LOG_PERIOD };
            while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                let elapsed = Elapsed(started.elapsed());
                if terminal {
                    eprint!("\r  {label} … {elapsed} ");
                    let _ = std::io::stderr().flush();
                } else {
                    eprintln!("  {label} … {elapsed}");
                }
            }
            if terminal {
                eprint!("\r\x1b[K");
            }
        });
        Self { name, started, ticker: Some((stop, thread)) }
    }

    /// Ends the step with what came of it.
    pub fn finish(mut self, outcome: impl fmt::Display) {
        self.stop();
        let elapsed = Elapsed(self.started.elapsed());
        eprintln!("  {}: {outcome} ({elapsed})", self.name);
    }

    fn stop(&mut self) {
        if let Some((stop, thread)) = self.ticker.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Announces a part of a longer command whose own output follows.
pub fn heading(text: &str) {
    eprintln!("\n=== {text}");
}

/// A duration for people: `0.42 s`, `12.3 s`, `4 min 05 s`.
pub struct Elapsed(pub Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        if seconds < 1.0 {
            write!(f, "{seconds:.2} s")
        } else if seconds < 60.0 {
            write!(f, "{seconds:.1} s")
        } else {
            let whole = self.0.as_secs();
            write!(f, "{} min {:02} s", whole / 60, whole % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_times_have_a_fitting_unit() {
        let shown = |millis| Elapsed(Duration::from_millis(millis)).to_string();
        assert_eq!(shown(42), "0.04 s");
        assert_eq!(shown(12_340), "12.3 s");
        assert_eq!(shown(245_000), "4 min 05 s");
    }
}
