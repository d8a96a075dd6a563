//! The running sandbox: sources, services and servers in one process.

use super::{
    ServeArgs,
    admission::{CLUSTER_NETWORKS, Injector},
    report::Reporter,
    runtime::Running,
    state::{self, State},
    world::{self, World},
};
use anyhow::Context as _;
use axum::{Json, Router, extract, routing::get};
use linkerd_controller::{
    admin,
    args::ListenAddr,
    grpc::Methods,
    listen::Listener,
    logging::LevelHandle,
    process,
    source::{Folder, Objects, Source, Watches},
    tasks::Tasks,
};
use linkerd_identity::{
    clock::Clock,
    core::leaf::Lifetimes,
    review_queue::AcceptedTokens,
    service::{EventSink, IssuerSource},
};
use parking_lot::Mutex;
use serde_json::Value;
use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

/// Ports that are opaque unless a manifest says otherwise, as in an installation.
const OPAQUE_PORTS: &str = "25,587,3306,4444,5432,6379,9300,11211";

type Pods = Arc<Mutex<Vec<Value>>>;

/// Runs until a signal comes or a part fails.
///
/// # Errors
/// When a path, an address or the state folder cannot be used, or a part fails.
pub async fn run(args: &ServeArgs, namespace: &str, level: LevelHandle) -> anyhow::Result<()> {
    let state_dir = args.state_dir.clone().unwrap_or_else(state::default_folder);
    let state = State::open(&state_dir, namespace, &args.cluster_domain)?;
    let injector = Injector::new(namespace, &args.cluster_domain, &state.credentials.trust_anchor)?;
    let folder = Folder::new(args.paths.iter().cloned()).context("cannot read the manifests")?;
    let (tasks, supervisor) = Tasks::new();
    let mut manifests = Manifests {
        folder,
        injector,
        objects: Objects::default(),
        pods: Pods::default(),
        reporter: Reporter::new(args.output),
        trust_domain: args.cluster_domain.clone(),
    };
    manifests.load().await;
    let watches = Watches::new(Source::Memory(manifests.objects.clone()), &tasks);
    let servers = Servers { args, namespace, tasks: &tasks };
    let running = Running {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        identity: servers.identity(state)?,
        destination: servers.destination(&watches)?,
        policy: servers.policy(&watches)?,
        admin: servers.admin(&manifests.pods, level)?,
        cluster_domain: args.cluster_domain.clone(),
        state_dir: absolute(state_dir),
    };
    tasks.readiness.wait().await;
    let entry = running.register()?;
    manifests.reporter.started(&running);
    tasks.spawn("manifests", manifests.follow());
    let ended = process::supervise(tasks, supervisor).await;
    drop(entry);
    Ok(ended?)
}

fn absolute(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

/// Manifests, and the cluster that is made of them.
struct Manifests {
    folder: Folder,
    injector: Injector,
    objects: Objects,
    pods: Pods,
    reporter: Reporter,
    trust_domain: String,
}

impl Manifests {
    async fn follow(mut self) -> Result<(), Infallible> {
        loop {
            self.load().await;
        }
    }

    /// Reads the manifests, at once the first time and then when they change.
    async fn load(&mut self) {
        let (documents, problems) = self.folder.next().await;
        let mut world: World = world::build(documents, &self.injector);
        world.problems.splice(0..0, problems);
        self.reporter.changed(&world, &self.trust_domain);
        *self.pods.lock() = world.objects.iter().filter(|object| object["kind"] == "Pod").cloned().collect();
        self.objects.replace(world.objects);
    }
}

/// Starts the servers.
struct Servers<'a> {
    args: &'a ServeArgs,
    namespace: &'a str,
    tasks: &'a Tasks,
}

impl Servers<'_> {
    fn identity(&self, state: State) -> anyhow::Result<std::net::SocketAddr> {
        let config = linkerd_identity::service::Config {
            control_plane_namespace: self.namespace.to_owned(),
            trust_domain: self.args.cluster_domain.clone(),
            lifetimes: Lifetimes { lifetime: Duration::from_secs(24 * 60 * 60), clock_skew: Duration::from_secs(20) },
            accepted_tokens: AcceptedTokens::Projected,
            clock: Clock::system(),
        };
        let authority = state.credentials.authority(&config.own_identity(), config.clock.now())?;
        let (issuer, reviewer) = (IssuerSource::Fixed(Box::new(authority)), Arc::new(state.tokens));
        let service = linkerd_identity::service::start(config, reviewer, issuer, EventSink::None, self.tasks)?;
        self.serve("identity", self.args.identity_addr, |methods| linkerd_identity::grpc::methods(service, methods))
    }

    fn destination(&self, watches: &Watches) -> anyhow::Result<std::net::SocketAddr> {
        let config = linkerd_destination::core::config::Config {
            controller_namespace: self.namespace.to_owned(),
            trust_domain: self.args.cluster_domain.clone(),
            cluster_domain: self.args.cluster_domain.clone(),
            default_opaque_ports: OPAQUE_PORTS.parse()?,
            force_opaque_transport: true,
            ..linkerd_destination::core::config::Config::default()
        };
        let destination = linkerd_destination::start(watches, self.tasks, config);
        self.serve("destination", self.args.destination_addr, |methods| {
            linkerd_destination::grpc::methods(&destination, methods)
        })
    }

    fn policy(&self, watches: &Watches) -> anyhow::Result<std::net::SocketAddr> {
        let networks = CLUSTER_NETWORKS.split(',').map(str::parse).collect::<Result<_, _>>()?;
        let config = linkerd_policy::Config {
            default_policy: self.args.default_inbound_policy.parse()?,
            cluster_networks: networks,
            probe_networks: vec!["0.0.0.0/0".parse()?, "::/0".parse()?],
            identity_domain: self.args.cluster_domain.clone(),
            cluster_domain: self.args.cluster_domain.clone(),
            control_plane_namespace: self.namespace.to_owned(),
            default_opaque_ports: OPAQUE_PORTS.parse()?,
            allow_l5d_request_headers: false,
        };
        let policy = linkerd_policy::start(watches, self.tasks, config);
        self.serve("policy", self.args.policy_addr, |methods| linkerd_policy::methods(&policy, methods))
    }

    fn admin(&self, pods: &Pods, level: LevelHandle) -> anyhow::Result<std::net::SocketAddr> {
        let list = async |extract::State(pods): extract::State<Pods>| Json(pods.lock().clone());
        let pods = Router::new().route("/sandbox/pods", get(list)).with_state(pods.clone());
        self.listen("admin", self.args.admin_addr, admin::router(self.tasks.clone(), level).merge(pods))
    }

    fn serve(
        &self,
        name: &str,
        addr: ListenAddr,
        methods: impl FnOnce(Methods) -> Methods,
    ) -> anyhow::Result<std::net::SocketAddr> {
        self.listen(name, addr, methods(Methods::new(self.tasks)).into_router())
    }

    fn listen(&self, name: &str, addr: ListenAddr, router: Router) -> anyhow::Result<std::net::SocketAddr> {
        let listener = Listener::bind(addr).with_context(|| format!("cannot start; pass --{name}-addr"))?;
        let address = listener.local_addr()?;
        self.tasks.spawn_draining(format!("{name} server"), listener.serve(router, self.tasks.shutdown().clone()));
        Ok(address)
    }
}
