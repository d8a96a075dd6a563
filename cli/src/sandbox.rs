//! `linkerd sandbox`: the whole control plane in one process, on manifests instead of a cluster.

mod addresses;
mod admission;
mod endpoints;
mod env;
mod http;
mod report;
pub mod runtime;
mod serve;
mod state;
mod validate;
mod workloads;
mod world;

use crate::{global::Global, output};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use linkerd_controller::args::ListenAddr;
use runtime::Running;
use serde_json::Value;
use state::State;
use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};
use world::text;

/// Run the control plane on manifests: no cluster, no root
///
/// Reads Kubernetes manifests, makes the pods and endpoints that a cluster would make of them, injects
/// the proxy, and serves identity, destination and policy to proxies on this machine. Edits of the files
/// take effect at once. `linkerd diagnostics` finds a running sandbox by itself.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct SandboxArgs {
    #[command(subcommand)]
    command: Option<SandboxCommand>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum SandboxCommand {
    /// Print the environment in which linkerd2-proxy runs as a pod of the sandbox
    ///
    /// Writes the pod's token, key and certificate request to a folder and prints commands for a shell.
    /// Use it like this: eval "$(linkerd sandbox env web)" && linkerd2-proxy
    Env(EnvArgs),
}

/// How a sandbox runs.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Files and folders of manifests
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Form of what is shown: text or json, one object on each line
    #[arg(long, short = 'o', value_enum, default_value_t)]
    output: report::Output,
    /// Address of the identity service
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    identity_addr: ListenAddr,
    /// Address of the destination service
    #[arg(long, default_value = "127.0.0.1:8086", value_name = "ADDRESS")]
    destination_addr: ListenAddr,
    /// Address of the policy service
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
    policy_addr: ListenAddr,
    /// Address of the admin server: metrics and readiness
    #[arg(long, default_value = "127.0.0.1:9990", value_name = "ADDRESS")]
    admin_addr: ListenAddr,
    /// DNS domain of the cluster
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    /// Policy of inbound ports without a Server
    #[arg(long, default_value = "all-unauthenticated", value_name = "POLICY")]
    default_inbound_policy: String,
    /// Folder that keeps the certificate authority between runs [default: in $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
    /// Lowest level that is logged on standard error, or a filter such as linkerd=debug,warn
    #[arg(long, default_value = "warn", value_name = "LEVEL")]
    log_level: String,
}

/// Which pod's environment is wanted.
#[derive(Clone, Debug, Args)]
struct EnvArgs {
    /// The pod: NAMESPACE/NAME, or the beginning of its name if no other pod's name begins so
    #[arg(value_name = "POD")]
    pod: String,
    /// Folder for the token, key and certificate request [default: beside the sandbox's state]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the sandbox cannot start or ends with an error, or there is no such pod.
pub fn run(args: SandboxArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let runtime = linkerd_controller::process::runtime()?;
    match args.command {
        Some(SandboxCommand::Env(args)) => runtime.block_on(print_environment(&args, global)),
        None => {
            let format = linkerd_controller::logging::Format::Plain;
            let level = linkerd_controller::logging::init(&args.serve.log_level, format)?;
            let result = runtime.block_on(serve::run(&args.serve, global.namespace(), level));
            runtime.shutdown_background();
            result.map(|()| ExitCode::SUCCESS)
        }
    }
}

async fn print_environment(args: &EnvArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let running = runtime::running()
        .context("no sandbox is running; start one in another terminal with: linkerd sandbox PATH")?;
    let pods = http::get_json(running.admin, "/sandbox/pods").await?;
    let pod = choose(&args.pod, pods.as_array().map(Vec::as_slice).unwrap_or_default())?;
    let name = format!("{}_{}", text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
    let folder = args.dir.clone().unwrap_or_else(|| running.state_dir.join("pods").join(name));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let folder = folder.canonicalize()?;
    let surroundings = env::Surroundings {
        identity: running.identity,
        destination: running.destination,
        policy: running.policy,
        folder: &folder,
    };
    let variables = env::environment(pod, &surroundings)?;
    write_credentials(&folder, pod, &variables, &running, global.namespace())?;
    let shell = env::shell(&variables);
    state::write(&folder, "env", shell.as_bytes())?;
    output::print(&shell)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes token, key and certificate request, as the program before the proxy does in a pod.
fn write_credentials(
    folder: &Path,
    pod: &Value,
    variables: &[(String, String)],
    running: &Running,
    control_plane_namespace: &str,
) -> anyhow::Result<()> {
    let named =
        |(name, value): &(String, String)| (name == "LINKERD2_PROXY_IDENTITY_LOCAL_NAME").then(|| value.clone());
    let identity = variables.iter().find_map(named).context("the pod's proxy has no identity")?;
    linkerd_controller::key_and_csr::KeyAndCsr::generate(&identity)?.write(folder)?;
    let state = State::open(&running.state_dir, control_plane_namespace, &running.cluster_domain)?;
    let account = text(&pod["spec"]["serviceAccountName"]);
    let account = if account.is_empty() { "default" } else { account };
    let token = state.token(text(&pod["metadata"]["namespace"]), account)?;
    Ok(state::write(folder, "token", token.as_bytes())?)
}

/// The pod that the words name.
fn choose<'a>(wanted: &str, pods: &'a [Value]) -> anyhow::Result<&'a Value> {
    let name = |pod: &Value| format!("{}/{}", text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
    if let Some(pod) = pods.iter().find(|pod| name(pod) == wanted || text(&pod["metadata"]["name"]) == wanted) {
        return Ok(pod);
    }
    let begins = |pod: &&Value| name(pod).starts_with(wanted) || text(&pod["metadata"]["name"]).starts_with(wanted);
    let fitting: Vec<_> = pods.iter().filter(begins).collect();
    let names = |pods: &[&Value]| pods.iter().map(|pod| name(pod)).collect::<Vec<_>>().join(", ");
    match fitting[..] {
        [pod] => Ok(pod),
        [] => bail!("there is no pod {wanted} in the sandbox; there are {}", names(&pods.iter().collect::<Vec<_>>())),
        _ => bail!("{wanted} may be any of {}; give the whole name", names(&fitting)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_is_named_by_the_beginning_of_its_name_if_no_other_begins_so() {
        let pod = |name: &str| json!({"metadata": {"namespace": "n", "name": name}});
        let pods = [pod("web-1"), pod("web-2"), pod("voting-1"), pod("vote-bot-1")];
        let chosen = |wanted: &str| choose(wanted, &pods).map(|pod| text(&pod["metadata"]["name"]).to_owned());
        assert_eq!(chosen("voting").unwrap(), "voting-1");
        assert_eq!(chosen("n/web-2").unwrap(), "web-2");
        assert!(chosen("web").unwrap_err().to_string().contains("any of n/web-1, n/web-2"));
        assert!(chosen("db").unwrap_err().to_string().contains("there is no pod db"));
    }
}
