//! What a run measured.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// Figures of one run. None of them is asserted, but for lost requests.
#[derive(Default)]
pub struct Report {
    /// Steps that were not run, for want of the real proxy.
    pub left_out: Vec<&'static str>,
    /// Times, by what took them.
    pub times: Vec<(String, Duration)>,
    /// Resident memory of the processes of the control plane, in bytes, by component, before the demo came.
    pub memory_when_idle: BTreeMap<&'static str, f64>,
    /// The same, under load.
    pub memory_under_load: BTreeMap<&'static str, f64>,
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
        let components: BTreeSet<_> = self.memory_when_idle.keys().chain(self.memory_under_load.keys()).collect();
        if !components.is_empty() {
            writeln!(f, "| resident memory, MiB | idle | under the demo's load |\n|---|---|---|")?;
            let shown =
                |bytes: Option<&f64>| bytes.map_or("–".to_owned(), |bytes| format!("{:.1}", bytes / 1_048_576.0));
            for component in components {
                let (idle, loaded) = (self.memory_when_idle.get(component), self.memory_under_load.get(component));
                writeln!(f, "| {component} | {} | {} |", shown(idle), shown(loaded))?;
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
