//! What a run measured.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Figures of one run. None of them is asserted, but for lost requests.
#[derive(Default)]
pub struct Report {
    /// Steps that were not run, for want of the real proxy.
    pub left_out: Vec<&'static str>,
    /// Times, by what took them.
    pub times: Vec<(String, Duration)>,
    /// Resident memory of the processes of the control plane, in bytes, by pod: idle, and under load.
    pub memory: BTreeMap<String, (Option<f64>, Option<f64>)>,
    /// Requests that were sent and lost, by what was done meanwhile.
    pub requests: Vec<(String, u64, u64)>,
}

impl Report {
    pub fn time(&mut self, what: impl Into<String>, time: Duration) {
        self.times.push((what.into(), time));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.times.is_empty() {
            writeln!(f, "| time | s |\n|---|---|")?;
            for (what, time) in &self.times {
                writeln!(f, "| {what} | {:.1} |", time.as_secs_f64())?;
            }
            writeln!(f)?;
        }
        if !self.memory.is_empty() {
            writeln!(f, "| resident memory, MiB | idle | under the demo's load |\n|---|---|---|")?;
            let shown =
                |bytes: Option<f64>| bytes.map_or("–".to_owned(), |bytes| format!("{:.1}", bytes / 1048576.0));
            for (component, (idle, loaded)) in &self.memory {
                writeln!(f, "| {component} | {} | {} |", shown(*idle), shown(*loaded))?;
            }
            writeln!(f)?;
        }
        if !self.requests.is_empty() {
            writeln!(f, "| meanwhile | requests | lost |\n|---|---|---|")?;
            for (what, sent, lost) in &self.requests {
                writeln!(f, "| {what} | {sent} | {lost} |")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
