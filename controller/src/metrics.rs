//! The registry of a process's metrics, and those that every process has.

use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::gauge::ConstGauge,
    registry::Registry,
};
use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::Arc,
    time::SystemTime,
};

/// A process's metrics, in the text form of OpenMetrics.
#[derive(Clone)]
pub struct Metrics(Arc<Mutex<State>>);

struct State {
    registry: Registry,
    /// Metrics that several parts of a process share, by their type.
    shared: HashMap<TypeId, Box<dyn Any + Send>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process::new()));
        Self(Arc::new(Mutex::new(State { registry, shared: HashMap::new() })))
    }
}

impl Metrics {
    /// Registers metrics; each area has one function that does it.
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.0.lock().registry)
    }

    /// Registers metrics that several parts of a process share: the second part gets those of the first.
    pub fn shared<T: Clone + Send + 'static>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        let mut state = self.0.lock();
        if let Some(known) = state.shared.get(&TypeId::of::<T>()).and_then(|known| known.downcast_ref::<T>()) {
            return known.clone();
        }
        let registered = register(&mut state.registry);
        state.shared.insert(TypeId::of::<T>(), Box::new(registered.clone()));
        registered
    }

    /// All metrics as text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail, and a collector that fails leaves the rest readable.
        let _ = text::encode(&mut text, &self.0.lock().registry);
        text
    }
}

/// Memory, file descriptors and times of this process, read from `/proc` at scrape time.
#[derive(Debug)]
struct Process {
    started: f64,
}

impl Process {
    fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started: since_epoch.as_secs_f64() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut gauge = |name: &str, help: &str, value: f64| {
            let metric = ConstGauge::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        gauge("process_start_time_seconds", "Start of the process, seconds since the epoch", self.started)?;
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        if let Some(bytes) = status_bytes(&status, "VmRSS:") {
            gauge("process_resident_memory_bytes", "Resident memory", bytes)?;
        }
        if let Some(bytes) = status_bytes(&status, "VmSize:") {
            gauge("process_virtual_memory_bytes", "Virtual memory", bytes)?;
        }
        if let Some(seconds) = cpu_seconds() {
            gauge("process_cpu_seconds_total", "CPU time in user and system mode", seconds)?;
        }
        let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        gauge("process_open_fds", "Open file descriptors", open as f64)
    }
}

fn status_bytes(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix(" kB")?.parse::<f64>().ok().map(|kib| kib * 1024.0)
}

fn cpu_seconds() -> Option<f64> {
    // Linux reports these in ticks of 1/100 s on every architecture that this runs on.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    #[test]
    fn a_process_reports_its_memory_and_times() {
        let text = Metrics::default().encode();
        for name in ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds"] {
            assert!(text.contains(&format!("\n{name} ")), "{name} in {text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn shared_metrics_are_registered_once() {
        let (metrics, register) = (Metrics::default(), |registry: &mut Registry| {
            let counter = Counter::<u64>::default();
            registry.register("calls", "Calls", counter.clone());
            counter
        });
        metrics.shared(register).inc();
        metrics.shared(register).inc();
        assert!(metrics.encode().contains("calls_total 2\n"));
        assert_eq!(metrics.encode().matches("# TYPE calls ").count(), 1);
    }
}
