//! Whether the CNI plug-in is there, where it redirects the traffic of pods.

use crate::check::{
    context::Context,
    reads::Kind,
    verdict::{Verdict, ensure, only_if},
};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::DaemonSet,
        core::v1::{ConfigMap, ServiceAccount},
        rbac::v1::{ClusterRole, ClusterRoleBinding},
    },
};
use kube::Resource;

const NAME: &str = "linkerd-cni";

/// Its configuration.
pub async fn config_map(context: &Context) -> Verdict {
    within::<ConfigMap>(context, "linkerd-cni-config").await
}

/// Its role.
pub async fn cluster_role(context: &Context) -> Verdict {
    global::<ClusterRole>(context).await
}

/// The binding of its role.
pub async fn cluster_role_binding(context: &Context) -> Verdict {
    global::<ClusterRoleBinding>(context).await
}

/// Its account.
pub async fn service_account(context: &Context) -> Verdict {
    within::<ServiceAccount>(context, NAME).await
}

/// Its DaemonSet.
pub async fn daemon_set(context: &Context) -> Verdict {
    within::<DaemonSet>(context, NAME).await
}

/// A pod of it is ready on every node.
pub async fn pods(context: &Context) -> Verdict {
    is_enabled(context).await?;
    let found = context.reads()?.one::<DaemonSet>(context.cni_namespace(), NAME).await?;
    found.as_ref().as_ref().map_or(Ok(()), is_on_every_node)
}

fn is_on_every_node(daemon_set: &DaemonSet) -> Verdict {
    let status = daemon_set.status.clone().unwrap_or_default();
    let (ready, scheduled) = (status.number_ready, status.desired_number_scheduled);
    ensure(ready == scheduled, || format!("number ready: {ready}, number scheduled: {scheduled}"))
}

/// Goes on when the plug-in is used, or will be.
async fn is_enabled(context: &Context) -> Verdict {
    only_if(context.options.wants_cni || context.config().await.is_ok_and(|config| config.is("/cniEnabled")))
}

async fn within<K: Kind + Resource<Scope = NamespaceResourceScope>>(context: &Context, name: &str) -> Verdict {
    is_enabled(context).await?;
    let namespace = context.cni_namespace();
    let found = context.reads()?.one::<K>(namespace, name).await?;
    ensure(found.is_some(), || missing(&K::kind(&()), &format!("{name} in namespace {namespace}")))
}

async fn global<K: Kind>(context: &Context) -> Verdict {
    is_enabled(context).await?;
    let found = context.reads()?.global::<K>(NAME).await?;
    ensure(found.is_some(), || missing(&K::kind(&()), NAME))
}

fn missing(kind: &str, name: &str) -> String {
    format!("there is no {kind} {name}; install the CNI plug-in, or name its namespace with --cni-namespace")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::verdict::Finding;
    use serde_json::json;

    #[test]
    fn a_pod_is_ready_on_every_node() {
        let with = |ready: i32| {
            let status = json!({ "numberReady": ready, "desiredNumberScheduled": 3, "currentNumberScheduled": 3,
                                 "numberMisscheduled": 0 });
            serde_json::from_value::<DaemonSet>(json!({ "metadata": {}, "status": status })).unwrap()
        };
        assert_eq!(is_on_every_node(&with(3)), Ok(()));
        assert_eq!(is_on_every_node(&with(2)), Err(Finding::error("number ready: 2, number scheduled: 3")));
    }
}
