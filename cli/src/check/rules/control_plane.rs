//! Whether the control plane runs.

use super::pods::{label, name, phase, statuses, trouble};
use crate::check::{
    context::Context,
    verdict::{Finding, Verdict, none_of, only_if},
};
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{ConfigMap, Node, Pod},
};
use linkerd_k8s::names::label::CONTROL_PLANE_COMPONENT;

/// The components, each in a Deployment `linkerd-NAME` of its own.
const COMPONENTS: [&str; 5] = ["destination", "identity", "policy", "proxy-injector", "sp-validator"];

/// The configuration is there and can be read.
pub async fn config(context: &Context) -> Verdict {
    let namespace = context.namespace();
    if context.reads()?.one::<ConfigMap>(namespace, "linkerd-config").await?.is_none() {
        return Err(Finding::Error(format!(
            "there is no ConfigMap linkerd-config in namespace {namespace}; install with `linkerd install | kubectl \
             apply -f -`, or name the namespace of the control plane with -L"
        )));
    }
    context.config().await.map(drop)
}

/// No ReplicaSet fails to make pods.
pub async fn replica_sets(context: &Context) -> Verdict {
    can_make_pods(&context.reads()?.within(context.namespace()).await?)
}

fn can_make_pods(sets: &[ReplicaSet]) -> Verdict {
    let failures = sets.iter().filter_map(|set| {
        let conditions = set.status.as_ref()?.conditions.as_ref()?;
        let failure =
            conditions.iter().find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
        Some(format!("{}: {}", name(&set.metadata), failure.message.as_deref().unwrap_or("no reason given")))
    });
    none_of("these ReplicaSets cannot make pods:", sorted(failures))
}

/// Every pod found a node.
pub async fn scheduled(context: &Context) -> Verdict {
    has_nodes(&context.reads()?.within(context.namespace()).await?)
}

fn has_nodes(pods: &[Pod]) -> Verdict {
    let waiting = pods.iter().filter_map(|pod| {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let condition = conditions.iter().find(|condition| condition.reason.as_deref() == Some("Unschedulable"))?;
        Some(format!("{}: {}", name(&pod.metadata), condition.message.as_deref().unwrap_or("no reason given")))
    });
    none_of("these pods find no node:", sorted(waiting))
}

/// Of every component, a pod is ready.
pub async fn pods(context: &Context) -> Verdict {
    are_ready(&context.reads()?.within(context.namespace()).await?)
}

fn are_ready(pods: &[Pod]) -> Verdict {
    let failures: Vec<String> = COMPONENTS.iter().filter_map(|component| component_failure(pods, component)).collect();
    if failures.is_empty() { Ok(()) } else { Err(Finding::Error(failures.join("\n"))) }
}

fn component_failure(pods: &[Pod], component: &str) -> Option<String> {
    let own = pods.iter().filter(|pod| label(&pod.metadata, CONTROL_PLANE_COMPONENT) == Some(component));
    let running: Vec<&Pod> =
        own.filter(|pod| phase(pod) == "Running" && pod.metadata.deletion_timestamp.is_none()).collect();
    if running.is_empty() {
        return Some(format!("No running pods for \"linkerd-{component}\""));
    }
    let is_ready = |pod: &&Pod| statuses(pod).next().is_some() && statuses(pod).all(|status| status.ready);
    if running.iter().any(is_ready) {
        return None;
    }
    let troubles = running.iter().flat_map(|pod| {
        let unready = statuses(pod).filter(|status| !status.ready);
        unready.map(|status| format!("pod {} container {} ({})", name(&pod.metadata), status.name, trouble(status)))
    });
    Some(format!("No pod for \"linkerd-{component}\" is ready: {}", sorted(troubles).join(", ")))
}

/// With high availability, every component has more than one pod.
pub async fn replicas(context: &Context) -> Verdict {
    only_if(context.config().await?.is("/highAvailability"))?;
    have_several(&context.reads()?.within(context.namespace()).await?)
}

fn have_several(deployments: &[Deployment]) -> Verdict {
    let available = |component: &str| {
        let deployment =
            deployments.iter().find(|deployment| name(&deployment.metadata) == format!("linkerd-{component}"));
        deployment.and_then(|deployment| deployment.status.as_ref()?.available_replicas).unwrap_or(0)
    };
    let few = COMPONENTS.iter().filter(|component| available(component) <= 1);
    let few: Vec<String> = few.map(|component| format!("linkerd-{component}")).collect();
    match few.is_empty() {
        true => Ok(()),
        false => Err(Finding::Error(format!("not enough replicas available for [{}]", few.join(", ")))),
    }
}

/// Docker needs an init container that runs as root.
pub async fn docker(context: &Context) -> Verdict {
    let config = context.config().await?;
    only_if(!config.is("/cniEnabled"))?;
    can_redirect(config.is("/proxyInit/runAsRoot"), &context.reads()?.all("").await?)
}

fn can_redirect(as_root: bool, nodes: &[Node]) -> Verdict {
    let has_docker = |node: &&Node| {
        let info = node.status.as_ref().and_then(|status| status.node_info.as_ref());
        info.is_some_and(|info| info.container_runtime_version.starts_with("docker:"))
    };
    let docker = nodes.iter().filter(has_docker).filter(|_| !as_root).map(|node| name(&node.metadata).to_owned());
    none_of(
        "traffic cannot be redirected without root on these nodes, which run Docker; install with --set proxyInit.runAsRoot=true:",
        sorted(docker),
    )
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

#[cfg(test)]
mod tests;
