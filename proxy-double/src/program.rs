//! The double as a program, which stands where the proxy would: in an injected container.
//!
//! Its whole configuration is the environment. It listens on the ports that the pod's traffic is
//! redirected to, and forwards: inbound to the application, outbound to where the application wanted.
//! Connections are served from the first certificate on; until then they wait, as with the proxy.

mod admin;
mod drain;
mod forward;
mod metrics;
mod original;
mod settings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::ProxyDouble;
use admin::Admin;
use drain::Drain;
use forward::{Direction, Forwarder};
use metrics::TcpMetrics;
use original::Own;
use settings::Settings;

/// Exit code for an environment that cannot be used (`EX_USAGE` of sysexits).
const EX_USAGE: u8 = 64;

/// The environment, by name.
type Variables = BTreeMap<String, String>;

/// Runs the program with the environment of this process.
pub fn main() -> ExitCode {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let variables: Variables = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    log(&variables);
    let settings = Settings::from_environment(|name| variables.get(&format!("LINKERD2_PROXY_{name}")).cloned());
    let settings = match settings {
        Ok(settings) => settings,
        Err(invalid) => {
            invalid.0.iter().for_each(|mistake| tracing::error!("{mistake}"));
            eprintln!("Invalid configuration: {invalid}");
            return ExitCode::from(EX_USAGE);
        }
    };
    // One thread: a double waits more than it computes.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.context("the runtime cannot start").and_then(|runtime| {
        let result = runtime.block_on(run(settings, variables));
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Initialization failure: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Logs as the variables say. A bad directive is passed over, as the proxy does.
fn log(variables: &Variables) {
    let directives = variables.get("LINKERD2_PROXY_LOG").map_or("warn,linkerd=info", String::as_str);
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(directives);
    let is_json = variables.get("LINKERD2_PROXY_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    if is_json { subscriber.json().flatten_event(true).init() } else { subscriber.init() }
}

/// Sockets of the program.
struct Listeners {
    admin: TcpListener,
    inbound: TcpListener,
    outbound: Vec<TcpListener>,
}

impl Listeners {
    async fn bind(settings: &Settings) -> Result<Self> {
        let listen = |address: SocketAddr| async move {
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
        };
        let (admin, inbound) = (listen(settings.admin).await?, listen(settings.inbound).await?);
        let mut outbound = Vec::new();
        for address in &settings.outbound {
            outbound.push(listen(*address).await?);
        }
        Ok(Self { admin, inbound, outbound })
    }
}

/// Runs until a signal or a request stops it, and everything under way is done.
async fn run(settings: Settings, variables: Variables) -> Result<()> {
    let drain = Drain::listen(settings.grace)?;
    let Listeners { admin, inbound, outbound } = Listeners::bind(&settings).await?;
    tracing::info!(
        identity = settings.config.local_name,
        admin = %settings.admin,
        inbound = %settings.inbound,
        outbound = ?settings.outbound,
        inbound_ports = ?settings.config.inbound_ports,
        version = env!("CARGO_PKG_VERSION"),
        "a double stands in for the proxy: no mutual TLS, no policy enforcement"
    );
    let double = Arc::new(ProxyDouble::start(settings.config.clone())?);
    let tcp = TcpMetrics::default();
    let [inward, outward] = forwarders(&settings, &double, &tcp).map(Arc::new);
    let admin_state = Admin {
        double: Arc::clone(&double),
        tcp,
        drain: drain.clone(),
        variables: Arc::new(variables),
        shutdown_endpoint: settings.shutdown_endpoint,
        started: metrics::now(),
    };
    let mut servers = JoinSet::new();
    servers.spawn(admin::serve(admin, admin_state));
    let routes = outbound.into_iter().map(|listener| (Arc::clone(&outward), listener)).chain([(inward, inbound)]);
    for (forwarder, listener) in routes {
        servers.spawn(forward(Arc::clone(&double), forwarder, listener, drain.clone()));
    }
    supervise(&mut servers, &drain).await?;
    drain.finish(servers).await;
    Ok(())
}

/// Serves connections from the first certificate on, until everything stops.
async fn forward(
    double: Arc<ProxyDouble>,
    forwarder: Arc<Forwarder>,
    listener: TcpListener,
    drain: Drain,
) -> Result<()> {
    tokio::select! {
        () = double.certified() => {}
        () = drain.stopping() => return Ok(()),
    }
    forwarder.accept(listener, drain).await;
    Ok(())
}

fn forwarders(settings: &Settings, double: &Arc<ProxyDouble>, tcp: &TcpMetrics) -> [Forwarder; 2] {
    let listeners = std::iter::once(settings.inbound).chain(settings.outbound.iter().copied()).collect();
    let own = Own { listeners, ips: settings.inbound_ips.clone() };
    let forwarder = |direction, connect, keepalive| {
        Forwarder::new(direction, Arc::clone(double), tcp.clone(), own.clone(), connect, keepalive)
    };
    let timing = settings.config.timing;
    [
        forwarder(Direction::Inbound, timing.connect_on_loopback, settings.inbound_keepalive),
        forwarder(Direction::Outbound, timing.connect, settings.outbound_keepalive),
    ]
}

/// Waits until everything stops; no server may end before.
async fn supervise(servers: &mut JoinSet<Result<()>>, drain: &Drain) -> Result<()> {
    tokio::select! {
        () = drain.stopping() => Ok(()),
        ended = servers.join_next() => {
            let ended = ended.context("there is no server")?;
            ended.context("a server failed")?.context("a server failed")?;
            if drain.is_stopping() { Ok(()) } else { Err(anyhow!("a server ended by itself")) }
        }
    }
}
