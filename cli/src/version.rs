//! `linkerd version`.

mod proxies;

use crate::{
    cluster,
    global::{Global, given},
    linkerd_config, output,
    sandbox::runtime::{self, Running},
};
use anyhow::Context as _;
use kube::Client;
use proxies::Proxies;
use std::{future::Future, process::ExitCode, time::Duration};

/// What stands for a version that nobody tells.
const UNAVAILABLE: &str = "unavailable";
/// Longest wait for each answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Print the versions of this program and of the control plane
///
/// The control plane is that of the cluster which `--kubeconfig`, `--context` or `--as` name, else that of
/// a running sandbox, else that of the cluster of the default kubeconfig. With --verbose, the log tells why
/// a version is unavailable.
#[derive(Debug, clap::Args)]
pub struct VersionArgs {
    /// Print the version of this program only
    #[arg(long)]
    client: bool,
    /// Print bare versions, one on a line
    #[arg(long)]
    short: bool,
    /// Print how many pods of the cluster have which version of the proxy, too
    #[arg(long)]
    proxy: bool,
    /// Namespace of these pods [default: all]
    #[arg(long, short)]
    namespace: Option<String>,
}

/// Version of this program.
pub fn of_program() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Prints versions.
///
/// # Errors
/// When no cluster is configured, or standard output cannot be written.
pub fn run(args: VersionArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let found = match args.client {
        true => Found::default(),
        false => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let found = runtime.block_on(look(&args, global))?;
            // A name that is still looked up, say, is nobody's concern any more.
            runtime.shutdown_background();
            found
        }
    };
    output::print(&text(&of_program(), &found, args.short))?;
    Ok(ExitCode::SUCCESS)
}

/// Versions of others, as far as they were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Found {
    server: Option<String>,
    proxies: Option<Option<Proxies>>,
}

async fn look(args: &VersionArgs, global: &Global) -> anyhow::Result<Found> {
    let sandbox = || runtime::running().filter(|_| !global.cluster().is_named());
    if let Some(Running { version, pid, .. }) = sandbox() {
        tracing::debug!("asking the sandbox in process {pid}");
        // A sandbox makes pods of manifests, but what their proxies are is up to whoever starts them.
        return Ok(Found { server: Some(version), proxies: args.proxy.then_some(None) });
    }
    let client = cluster::connect(global).await?;
    let server = in_time("the version of the control plane", server(&client, global.namespace()));
    let proxies = async {
        if !args.proxy {
            return None;
        }
        let proxies = Proxies::count(&client, global.namespace(), given(&args.namespace));
        Some(in_time("the versions of proxies", proxies).await)
    };
    let (server, proxies) = tokio::join!(server, proxies);
    Ok(Found { server: Some(server.unwrap_or_else(|| UNAVAILABLE.to_owned())), proxies })
}

async fn server(client: &Client, namespace: &str) -> anyhow::Result<String> {
    let values = linkerd_config::tree(client, namespace).await?;
    let version = values["linkerdVersion"].as_str().map(str::to_owned);
    version.context("the ConfigMap linkerd-config has no linkerdVersion")
}

/// The answer, unless it fails or takes too long.
async fn in_time<T>(what: &str, answer: impl Future<Output = anyhow::Result<T>>) -> Option<T> {
    let answer = tokio::time::timeout(LIMIT, answer).await;
    let answer = answer.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {} s", LIMIT.as_secs())));
    answer.inspect_err(|error| tracing::warn!("{what} cannot be told: {error:#}")).ok()
}

fn text(client: &str, found: &Found, is_short: bool) -> String {
    let versions = [("Client", Some(client)), ("Server", found.server.as_deref())];
    let lines = versions.into_iter().filter_map(|(side, version)| {
        let version = version?;
        Some(if is_short { format!("{version}\n") } else { format!("{side} version: {version}\n") })
    });
    let proxies = match &found.proxies {
        None => String::new(),
        Some(None) => format!("Proxy versions: {UNAVAILABLE}\n"),
        Some(Some(proxies)) => proxies.to_string(),
    };
    lines.chain([proxies]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_unless_short() {
        let text = |server: Option<&str>, is_short| {
            text("1", &Found { server: server.map(str::to_owned), proxies: None }, is_short)
        };
        assert_eq!(text(Some("2"), false), "Client version: 1\nServer version: 2\n");
        assert_eq!(text(None, false), "Client version: 1\n");
        assert_eq!(text(Some(UNAVAILABLE), true), "1\nunavailable\n");
        assert_eq!(text(None, true), "1\n");
    }

    #[test]
    fn proxies_that_nobody_counted_are_unavailable() {
        let found = Found { server: Some("2".to_owned()), proxies: Some(None) };
        assert_eq!(text("1", &found, true), "1\n2\nProxy versions: unavailable\n");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_given_up() {
        assert_eq!(in_time("it", std::future::pending::<anyhow::Result<()>>()).await, None);
        assert_eq!(in_time("it", async { Ok(1) }).await, Some(1));
    }
}
