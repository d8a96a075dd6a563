//! Whether the control plane can be installed.

use super::pods::{name, time};
use crate::{
    check::{
        context::Context,
        verdict::{Verdict, ensure, none_of},
    },
    cluster::failure,
    install::{Document, expected},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::{Namespace, Node},
};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, PostParams, TypeMeta},
};

/// Nodes report at least every five minutes.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5 * 60 + 10);

/// Nothing is in the way.
pub async fn namespace(context: &Context) -> Verdict {
    let namespace = context.namespace();
    let found = context.reads()?.global::<Namespace>(namespace).await?;
    ensure(found.is_none(), || {
        format!(
            "The \"{namespace}\" namespace already exists; if Linkerd is installed there, run `linkerd check` without --pre"
        )
    })
}

/// The objects that are in no namespace can be made. The server judges them without storing them, so that
/// those of another control plane, which have the same names, are found too.
pub async fn cluster_scoped(context: &Context) -> Verdict {
    const KINDS: [&str; 4] =
        ["ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];
    let client = context.reads()?.client();
    let mut refused = Vec::new();
    let documents = expected::by_default(context.namespace())?;
    for document in documents.into_iter().filter(|document| KINDS.contains(&document.kind())) {
        let shown = format!("{}/{}", document.kind(), document.name());
        let (resource, object) = dynamic(document)?;
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        if let Err(error) = api.create(&dry_run, &object).await {
            refused.push(format!("cannot create {shown}: {}", failure(&error)));
        }
    }
    refused.sort();
    ensure(refused.is_empty(), || refused.join("\n"))
}

fn dynamic(document: Document) -> anyhow::Result<(ApiResource, DynamicObject)> {
    let object: DynamicObject = serde_json::from_value(document.object)?;
    let TypeMeta { api_version, kind } = object.types.clone().unwrap_or_default();
    let gvk = TypeMeta { api_version, kind }.try_into()?;
    Ok((ApiResource::from_gvk(&gvk), object))
}

/// Group of Roles and RoleBindings.
pub const RBAC: &str = "rbac.authorization.k8s.io";

/// The user may do something to a resource of the control plane's namespace.
pub async fn may(context: &Context, verb: &str, group: &str, resource: &str) -> Verdict {
    let text = |text: &str| Some(text.to_owned());
    let namespace = context.namespace();
    let attributes = ResourceAttributes {
        namespace: text(namespace),
        verb: text(verb),
        group: text(group),
        resource: text(resource),
        ..ResourceAttributes::default()
    };
    let spec =
        SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..SelfSubjectAccessReviewSpec::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let api: Api<SelfSubjectAccessReview> = Api::all(context.reads()?.client());
    let answer = api.create(&PostParams::default(), &review).await.map_err(|error| anyhow::anyhow!(failure(&error)))?;
    let status = answer.status.unwrap_or_default();
    ensure(status.allowed, || {
        let reason =
            status.reason.filter(|reason| !reason.is_empty()).map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("not authorized to {verb} {resource} in namespace {namespace}{reason}")
    })
}

/// Nodes and this machine agree about the time.
pub async fn clocks(context: &Context) -> Verdict {
    agree(&context.reads()?.all("").await?, context.now())
}

fn agree(nodes: &[Node], now: Timestamp) -> Verdict {
    let skewed = nodes.iter().filter_map(|node| {
        let conditions = node.status.as_ref()?.conditions.as_ref()?;
        let ready = conditions.iter().find(|condition| condition.type_ == "Ready" && condition.status == "True")?;
        let skew = now.duration_since(time(ready.last_heartbeat_time.as_ref()?));
        (skew.abs() > CLOCK_SKEW).then(|| format!("{}: {skew:#}", name(&node.metadata)))
    });
    let mut skewed: Vec<String> = skewed.collect();
    skewed.sort();
    none_of("the clocks of these nodes differ from that of this machine, or they reported too long ago:", skewed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::verdict::Finding;
    use serde_json::{Value, json};

    fn node(name: &str, status: &str, heartbeat: &str) -> Value {
        json!({ "metadata": { "name": name }, "status": { "conditions": [
            { "type": "Ready", "status": status, "lastHeartbeatTime": heartbeat },
        ] } })
    }

    #[test]
    fn ready_nodes_reported_within_five_minutes() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let nodes = |nodes: Vec<Value>| -> Vec<Node> { serde_json::from_value(nodes.into()).unwrap() };
        let good = vec![
            node("a", "True", "2026-01-01T11:55:00Z"),
            node("b", "True", "2026-01-01T12:05:00Z"),
            node("c", "False", "2025-01-01T00:00:00Z"),
            json!({ "metadata": { "name": "d" } }),
        ];
        assert_eq!(agree(&nodes(good), now), Ok(()));
        let bad = vec![node("b", "True", "2026-01-01T12:06:00Z"), node("a", "True", "2026-01-01T11:54:00Z")];
        let found = agree(&nodes(bad), now);
        assert!(
            matches!(&found, Err(Finding::Error(text)) if text.ends_with(":\n\t* a: 6m\n\t* b: 6m ago")),
            "{found:?}"
        );
    }

    #[test]
    fn every_object_that_is_in_no_namespace_is_known_to_the_server_by_its_kind() {
        let role =
            expected::by_default("linkerd").unwrap().into_iter().find(|document| document.kind() == "ClusterRole");
        let (resource, object) = dynamic(role.unwrap()).unwrap();
        assert_eq!((resource.group.as_str(), resource.plural.as_str()), ("rbac.authorization.k8s.io", "clusterroles"));
        assert!(object.metadata.name.is_some());
    }
}
