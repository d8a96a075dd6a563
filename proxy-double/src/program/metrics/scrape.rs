//! The text of one scrape. What the state of a double counts is read at that moment.

use std::time::UNIX_EPOCH;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use rustix::time::{ClockId, clock_gettime};

use super::TcpMetrics;
use crate::ProxyDouble;
use crate::config::Config;
use crate::state::{Rpc, State};

/// All metrics of a double that started at `started`, in seconds since the epoch.
pub fn scrape(double: &ProxyDouble, tcp: &TcpMetrics, started: f64) -> String {
    let mut registry = Registry::default();
    process(&mut registry, started);
    double.read(|state| {
        certificate(&mut registry, state);
        streams(&mut registry, state, double.config());
    });
    reconnects(&mut registry, double);
    tcp.register(&mut registry);
    let mut encoded = String::new();
    // Writing to a string cannot fail.
    let _ = text::encode(&mut encoded, &registry);
    encoded
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
    vendor: &'static str,
    profile: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodError {
    method: &'static str,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Server {
    addr: String,
}

fn process(registry: &mut Registry, started: f64) {
    let gauge = ConstGauge::new(started);
    registry.register("process_start_time_seconds", "Start of the process, seconds since the epoch", gauge);
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
    registry.register("process_cpu_seconds", "CPU time in user and system mode", ConstCounter::new(seconds));
    let build = Family::<Build, Gauge>::default();
    let version = env!("CARGO_PKG_VERSION");
    build.get_or_create(&Build { version, vendor: "linkerd-rs", profile: "double" }).set(1);
    registry.register("proxy_build_info", "What runs here: a double, which is no proxy", build);
}

fn certificate(registry: &mut Registry, state: &State) {
    let until = state.certificate.as_ref().and_then(|certificate| certificate.until.duration_since(UNIX_EPOCH).ok());
    registry.register(
        "control_identity_cert_expiration_timestamp_seconds",
        "End of the certificate in force, seconds since the epoch; 0 without one",
        ConstGauge::new(until.map_or(0.0, |until| until.as_secs_f64())),
    );
    let counter = state.counter(Rpc::Certify);
    let refreshes = Family::<Outcome, Counter>::default();
    for (result, count) in [("ok", counter.messages), ("error", counter.error_count())] {
        refreshes.get_or_create(&Outcome { result }).inc_by(count);
    }
    registry.register("control_identity_cert_refreshes", "Requests for a certificate by their result", refreshes);
}

/// Adds a family of counters, one for each method.
fn by_method(registry: &mut Registry, name: &str, help: &str, value: impl Fn(Rpc) -> u64) {
    let family = Family::<Method, Counter>::default();
    for rpc in Rpc::ALL {
        family.get_or_create(&Method { method: rpc.name() }).inc_by(value(rpc));
    }
    registry.register(format!("proxy_double_{name}"), help, family);
}

fn streams(registry: &mut Registry, state: &State, config: &Config) {
    let counter = |rpc| state.counter(rpc);
    by_method(registry, "requests", "Requests to the control plane", |rpc| counter(rpc).requests);
    by_method(registry, "messages", "Messages of the control plane", |rpc| counter(rpc).messages);
    by_method(registry, "renewals", "Streams that were renewed at a limit", |rpc| counter(rpc).renewals);
    by_method(registry, "ends", "Streams that the server ended without error", |rpc| counter(rpc).ends);
    let (open, errors) = (Family::<Method, Gauge>::default(), Family::<MethodError, Counter>::default());
    let requests = Family::<Server, Counter>::default();
    for rpc in Rpc::ALL {
        let (counter, method) = (state.counter(rpc), rpc.name());
        open.get_or_create(&Method { method }).set(counter.open.cast_signed());
        for (code, count) in &counter.errors {
            errors.get_or_create(&MethodError { method, code: format!("{code:?}") }).inc_by(*count);
        }
        let peer = match rpc {
            Rpc::Certify => &config.identity,
            Rpc::WatchPort | Rpc::Watch => &config.policy,
            Rpc::GetProfile | Rpc::Get => &config.destination,
        };
        requests.get_or_create(&Server { addr: peer.address.clone() }).inc_by(counter.requests);
    }
    registry.register("proxy_double_streams", "Streams that are open", open);
    registry.register("proxy_double_errors", "Errors of the control plane, or of the way to it", errors);
    registry.register("control_request", "Requests to the control plane", requests);
    let mut gauge = |name: &str, help: &str, value: usize| {
        registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    };
    gauge("proxy_double_targets", "Outbound destinations that are watched", state.targets.len());
    gauge("proxy_double_inbound_ports", "Inbound ports whose policy is watched", state.inbound.len());
    let problems = ConstCounter::new(state.problem_count);
    registry.register("proxy_double_problems", "Parts of answers that a proxy could not use", problems);
}

fn reconnects(registry: &mut Registry, double: &ProxyDouble) {
    let (destination, policy) = double.connections().opened();
    let family = Family::<Server, Counter>::default();
    let config = double.config();
    for (peer, opened) in [(&config.destination, destination), (&config.policy, policy)] {
        family.get_or_create(&Server { addr: peer.address.clone() }).inc_by(opened.saturating_sub(1));
    }
    let help = "Connections to the control plane after the first one";
    registry.register("proxy_double_reconnects", help, family);
}
