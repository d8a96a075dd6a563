//! The cluster under test, and the ways to ask it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{ContainerPort, Pod};
use kube::api::{Api, ListParams};
use linkerd_tests::cluster::Cluster;
use linkerd_tests::eventually;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::metrics::Metrics;
use crate::objects;
use crate::{Args, Proxy};

/// Namespace of the control plane.
pub const CONTROL_PLANE: &str = "linkerd";
/// Namespace of the demo.
pub const DEMO: &str = "emojivoto";
/// Longest wait for pods to start or end.
pub const PODS: Duration = Duration::from_secs(180);
/// Longest wait for what takes moments on a quiet machine.
pub const MOMENT: Duration = Duration::from_secs(60);

/// Where programs look for the way to the internet, on which no cluster of ours is.
const PROXY_VARIABLES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];

/// The cluster under test.
pub struct Mesh {
    pub cluster: Cluster,
    pub proxy: Proxy,
    /// Further arguments of `linkerd install`.
    pub install: Vec<String>,
    kubeconfig: PathBuf,
    linkerd: PathBuf,
    kubectl: PathBuf,
    /// What the cluster had before the first step.
    before: OnceCell<BTreeSet<String>>,
}

impl Mesh {
    pub async fn connect(args: &Args) -> Result<Self> {
        Ok(Self {
            cluster: Cluster::from_kubeconfig(&args.kubeconfig).await?,
            proxy: args.proxy,
            install: args.install.clone(),
            kubeconfig: args.kubeconfig.clone(),
            linkerd: args.linkerd.clone(),
            kubectl: args.kubectl.clone(),
            before: OnceCell::new(),
        })
    }

    /// What `linkerd` prints. An error has what it said on standard error.
    pub async fn linkerd(&self, arguments: &[&str]) -> Result<String> {
        output(self.command(&self.linkerd), arguments, "").await
    }

    /// What kubectl prints.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_with(arguments, "").await
    }

    /// What kubectl prints, with something on its standard input.
    pub async fn kubectl_with(&self, arguments: &[&str], input: &str) -> Result<String> {
        output(self.command(&self.kubectl), arguments, input).await
    }

    /// Applies a manifest.
    pub async fn apply(&self, manifest: &str) -> Result<()> {
        self.kubectl_with(&["apply", "--filename=-"], manifest).await.map(drop)
    }

    /// Notes which objects there are.
    pub async fn remember_objects(&self) -> Result<()> {
        let client = self.cluster.client();
        self.before.get_or_try_init(|| objects::all(&client)).await.map(drop)
    }

    /// The objects that there were not when they were noted.
    pub async fn new_objects(&self) -> Result<Vec<String>> {
        let before = self.before.get().context("the step `install` was not run, so nobody knows what was there")?;
        let now = objects::all(&self.cluster.client()).await?;
        Ok(now.difference(before).cloned().collect())
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("KUBECONFIG", &self.kubeconfig);
        for variable in PROXY_VARIABLES {
            command.env_remove(variable);
        }
        command
    }

    /// The pods of a namespace that are not on their way out.
    pub async fn pods(&self, namespace: &str, selector: &str) -> Result<Vec<Pod>> {
        let api: Api<Pod> = Api::namespaced(self.cluster.client(), namespace);
        let list = api.list(&ListParams::default().labels(selector)).await?;
        Ok(list.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect())
    }

    /// Waits until there are `count` pods, or some if that is `None`, and all are ready.
    pub async fn ready(&self, namespace: &str, selector: &str, count: Option<usize>) -> Result<Vec<Pod>> {
        let pods = || async {
            let pods = self.pods(namespace, selector).await?;
            match count {
                Some(count) => ensure!(pods.len() == count, "{} pods, {count} wanted", pods.len()),
                None => ensure!(!pods.is_empty(), "there is no pod"),
            }
            match pods.iter().find(|pod| !is_ready(pod)) {
                Some(pod) => bail!("{} is not ready: {}", name(pod), state(pod)),
                None => Ok(pods),
            }
        };
        eventually(PODS, pods).await.with_context(|| format!("pods {selector} in {namespace}"))
    }

    /// The ready pod of a component of the control plane.
    pub async fn component(&self, component: &str) -> Result<Pod> {
        let selector = format!("linkerd.io/control-plane-component={component}");
        Ok(self.ready(CONTROL_PLANE, &selector, Some(1)).await?.remove(0))
    }

    /// Asks for so many pods of a Deployment.
    pub async fn scale(&self, namespace: &str, deployment: &str, replicas: usize) -> Result<()> {
        let (namespace, replicas) = (format!("--namespace={namespace}"), format!("--replicas={replicas}"));
        self.kubectl(&["scale", &namespace, &format!("deployment/{deployment}"), &replicas]).await.map(drop)
    }

    /// Runs `linkerd check` with further arguments, whose judgement has to be good. Returns the report.
    pub async fn check(&self, arguments: &[&str]) -> Result<String> {
        let report = self.linkerd(&[&["check"], arguments].concat()).await?;
        ensure!(report.contains("Status check results are √"), "check {} printed\n{report}", arguments.join(" "));
        Ok(report)
    }

    /// Waits until only `count` pods are left, and those on their way out are gone.
    pub async fn gone(&self, namespace: &str, selector: &str, count: usize) -> Result<()> {
        let api: Api<Pod> = Api::namespaced(self.cluster.client(), namespace);
        let left = || async {
            let left = api.list(&ListParams::default().labels(selector)).await?.items.len();
            ensure!(left == count, "{left} pods are left, {count} wanted");
            Ok(())
        };
        eventually(PODS, left).await.with_context(|| format!("pods {selector} in {namespace}"))
    }

    /// The metrics that a pod serves on a port.
    pub async fn metrics(&self, pod: &Pod, port: i32) -> Result<Metrics> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let path = format!("/api/v1/namespaces/{namespace}/pods/{}:{port}/proxy/metrics", name(pod));
        let request = http::Request::get(path).body(Vec::new())?;
        let text = self.cluster.client().request_text(request).await;
        Metrics::parse(&text.with_context(|| format!("no metrics of {}, port {port}", name(pod)))?)
    }

    /// The metrics of a pod's proxy.
    pub async fn proxy_metrics(&self, pod: &Pod) -> Result<Metrics> {
        let port = port(pod, |port| port == "linkerd-admin");
        self.metrics(pod, port.with_context(|| format!("{} has no proxy", name(pod)))?).await
    }

    /// The metrics of a pod of the control plane.
    pub async fn component_metrics(&self, pod: &Pod) -> Result<Metrics> {
        let port = port(pod, |port| port.ends_with("-admin"));
        self.metrics(pod, port.with_context(|| format!("{} has no admin port", name(pod)))?).await
    }
}

/// The port of a pod by its name, also of native sidecars.
fn port(pod: &Pod, matches: impl Fn(&str) -> bool) -> Option<i32> {
    let spec = pod.spec.as_ref()?;
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let named = |port: &&ContainerPort| port.name.as_deref().is_some_and(&matches);
    Some(containers.flat_map(|container| container.ports.iter().flatten()).find(named)?.container_port)
}

pub fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// The identity that its proxy has.
pub fn identity(pod: &Pod) -> String {
    let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref()).unwrap_or("default");
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    format!("{account}.{namespace}.serviceaccount.identity.{CONTROL_PLANE}.cluster.local")
}

pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether the injector has given it a proxy.
pub fn is_injected(pod: &Pod) -> bool {
    port(pod, |port| port == "linkerd-admin").is_some()
}

/// What its containers are doing.
pub fn state(pod: &Pod) -> String {
    let Some(status) = &pod.status else { return "no status".to_owned() };
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let containers = statuses.filter(|container| !container.ready).filter_map(|container| {
        let state = container.state.as_ref()?;
        let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.clone());
        let ended = state.terminated.as_ref().map(|ended| format!("ended with {}", ended.exit_code));
        let state = waiting.or(ended).unwrap_or_else(|| "running".to_owned());
        Some(format!("{} {state}, restarted {} times", container.name, container.restart_count))
    });
    let containers = containers.collect::<Vec<_>>().join("; ");
    format!("{} ({containers})", status.phase.as_deref().unwrap_or("no phase"))
}

/// How often its containers were started again.
pub fn restarts(pod: &Pod) -> i32 {
    let status = pod.status.as_ref();
    let statuses = status.and_then(|status| status.container_statuses.as_ref());
    statuses.into_iter().flatten().map(|container| container.restart_count).sum()
}

async fn output(mut command: Command, arguments: &[&str], input: &str) -> Result<String> {
    let program = Path::new(command.as_std().get_program()).file_name().unwrap_or_default();
    let shown = format!("{} {}", program.display(), arguments.join(" "));
    let mut child = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let (stdin, input) = (child.stdin.take(), input.as_bytes().to_vec());
    // It may print before it has read everything.
    let writer = tokio::spawn(async move {
        match stdin {
            Some(mut stdin) => stdin.write_all(&input).await,
            None => Ok(()),
        }
    });
    let output = tokio::time::timeout(Duration::from_secs(600), child.wait_with_output());
    let output = output.await.with_context(|| format!("`{shown}` did not end"))??;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed ({}):\n{}{}", output.status, stdout, stderr.trim_end());
    }
    writer.await?.with_context(|| format!("`{shown}` did not read its input"))?;
    Ok(stdout)
}
