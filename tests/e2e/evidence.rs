//! What was seen last, for a run that failed: pods, events, logs.

use anyhow::Result;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, ListParams};

use crate::mesh::{CONTROL_PLANE, DEMO, Mesh, is_ready, name, state};

/// Events worth reading are the last ones.
const EVENTS: usize = 25;
/// Lines of each log.
const LINES: usize = 25;

/// Prints what there is to see. What cannot be read is said, and left out.
pub async fn print(mesh: &Mesh) {
    for (what, text) in [("pods", pods(mesh).await), ("events", events(mesh).await), ("logs", logs(mesh).await)] {
        match text {
            Ok(text) => println!("\n--- {what}\n{}", text.trim_end()),
            Err(error) => println!("\n--- {what}: cannot be read: {error:#}"),
        }
    }
}

async fn pods(mesh: &Mesh) -> Result<String> {
    let pods: Api<Pod> = Api::all(mesh.cluster.client());
    let pods = pods.list(&ListParams::default()).await?.items;
    let lines = pods.iter().map(|pod| {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let ready = if is_ready(pod) { "ready" } else { "not ready" };
        format!("{namespace}/{} {ready}: {}\n", name(pod), state(pod))
    });
    Ok(lines.collect())
}

async fn events(mesh: &Mesh) -> Result<String> {
    let api: Api<Event> = Api::all(mesh.cluster.client());
    let mut events = api.list(&ListParams::default()).await?.items;
    let time = |event: &Event| {
        let seen = event.event_time.as_ref().map(|time| time.0);
        let last = event.last_timestamp.as_ref().map(|time| time.0);
        seen.max(last)
    };
    events.retain(|event| {
        event.type_.as_deref() != Some("Normal") || event.involved_object.kind.as_deref() == Some("Pod")
    });
    events.sort_by_key(time);
    let lines = events.iter().skip(events.len().saturating_sub(EVENTS)).map(|event| {
        let about = &event.involved_object;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (reason, message) = (text(&event.reason), text(&event.message));
        format!("{} {}/{}: {reason}: {message}\n", text(&about.kind), text(&about.namespace), text(&about.name))
    });
    Ok(lines.collect())
}

/// The logs of the control plane, and of the demo's pods that are not ready.
async fn logs(mesh: &Mesh) -> Result<String> {
    let mut text = String::new();
    for namespace in [CONTROL_PLANE, DEMO] {
        for pod in mesh.pods(namespace, "").await? {
            if namespace == DEMO && is_ready(&pod) {
                continue;
            }
            let tail = format!("--tail={LINES}");
            let target = format!("--namespace={namespace}");
            let log = mesh.kubectl(&["logs", &target, name(&pod), "--all-containers", "--prefix", &tail]).await;
            text += &log.unwrap_or_else(|error| format!("{error:#}\n"));
        }
    }
    Ok(text)
}
