//! Whether the proxies of the data plane have certificates, are ready, and are the current ones.

use super::{
    objects,
    pods::{has_ready_proxy, id, is_gone, is_meshed, phase, proxy, statuses, trouble},
};
use crate::check::{
    context::{Config, Context},
    verdict::{Finding, Verdict, ensure, none_of},
};
use k8s_openapi::api::core::v1::Pod;
use linkerd_k8s::names::PROXY_CONTAINER;
use std::sync::Arc;

const ANCHORS_VARIABLE: &str = "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS";

/// The proxies trust what the issuer issues now.
pub async fn anchors(context: &Context) -> Verdict {
    have_anchors(&pods(context).await?, context.namespace(), &context.trust_anchors().await?)
}

fn have_anchors(pods: &[Pod], control_plane: &str, bundle: &str) -> Verdict {
    let others = proxies(pods, control_plane).filter(|pod| {
        let env = proxy(pod).and_then(|proxy| proxy.env.as_ref()).into_iter().flatten();
        let anchors =
            env.filter(|variable| variable.name == ANCHORS_VARIABLE).find_map(|variable| variable.value.as_deref());
        // A pod may also read them from the ConfigMap itself.
        anchors.is_some_and(|anchors| anchors.trim() != bundle.trim())
    });
    none_of("these pods do not have the current trust anchors; restart them:", ids(others))
}

/// The proxies have certificates.
pub async fn certificates(context: &Context) -> Verdict {
    are_certified(&pods(context).await?, context.namespace())
}

fn are_certified(pods: &[Pod], control_plane: &str) -> Verdict {
    let uncertified = proxies(pods, control_plane).filter(|pod| phase(pod) == "Running" && !has_ready_proxy(pod));
    none_of(
        "the proxies of these pods are not ready, which a proxy becomes once it has a certificate; see `kubectl logs -n \
         NAMESPACE POD -c linkerd-proxy`:",
        ids(uncertified),
    )
}

/// The namespace that the user named is there.
pub async fn namespace(context: &Context) -> Verdict {
    match &context.options.data_plane_namespace {
        Some(namespace) => objects::exists(context, namespace).await,
        None => Ok(()),
    }
}

/// There are proxies, and they are ready.
pub async fn ready(context: &Context) -> Verdict {
    are_ready(&pods(context).await?, context.namespace(), context.options.data_plane_namespace.as_deref())
}

fn are_ready(pods: &[Pod], control_plane: &str, namespace: Option<&str>) -> Verdict {
    ensure(proxies(pods, control_plane).next().is_some(), || match namespace {
        Some(namespace) => format!("no \"{PROXY_CONTAINER}\" containers found in the \"{namespace}\" namespace"),
        None => format!("no \"{PROXY_CONTAINER}\" containers found"),
    })?;
    let unready = proxies(pods, control_plane).filter_map(|pod| {
        let phase = phase(pod);
        let status = statuses(pod).find(|status| status.name == PROXY_CONTAINER);
        let reason = match (phase, status) {
            ("Running", Some(status)) if status.ready => return None,
            ("Running", Some(status)) => trouble(status),
            ("Running", None) => "not started".to_owned(),
            (phase, _) => format!("pod {phase}"),
        };
        Some(format!("{} ({reason})", id(&pod.metadata)))
    });
    let mut unready: Vec<String> = unready.collect();
    unready.sort();
    none_of("the proxies of these pods are not ready:", unready)
}

/// The proxies are those that pods get now. Proxies have versions of their own, so that nothing is to be
/// compared with the version of the control plane or of this program.
pub async fn versions(context: &Context) -> Verdict {
    are_current(&pods(context).await?, context.namespace(), proxy_version(&*context.config().await?))
}

fn proxy_version(config: &Config) -> &str {
    let own = config.text("/proxy/image/version");
    if own.is_empty() { config.text("/linkerdVersion") } else { own }
}

fn are_current(pods: &[Pod], control_plane: &str, current: &str) -> Verdict {
    let others = proxies(pods, control_plane).filter_map(|pod| {
        let version = tag(proxy(pod)?.image.as_deref()?).filter(|version| *version != current)?;
        Some(format!("{} ({version})", id(&pod.metadata)))
    });
    let mut others: Vec<String> = others.collect();
    others.sort();
    none_of(&format!("some proxies are not running the current version, which is {current}:"), others)
}

/// The tag of an image; one that is named by its digest alone has none.
fn tag(image: &str) -> Option<&str> {
    let image = image.split('@').next().unwrap_or(image);
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split_once(':').map(|(_, tag)| tag)
}

async fn pods(context: &Context) -> Result<Arc<Vec<Pod>>, Finding> {
    context.reads()?.maybe_within(context.options.data_plane_namespace.as_deref()).await
}

/// The pods of the data plane that are there to stay.
pub fn proxies<'a>(pods: &'a [Pod], control_plane: &'a str) -> impl Iterator<Item = &'a Pod> {
    pods.iter().filter(move |pod| is_meshed(pod, control_plane) && !is_gone(pod))
}

fn ids<'a>(pods: impl Iterator<Item = &'a Pod>) -> Vec<String> {
    let mut ids: Vec<String> = pods.map(|pod| id(&pod.metadata)).collect();
    ids.sort();
    ids
}

#[cfg(test)]
mod tests;
