//! The cluster, before there is a control plane.

use super::{DEFINITIONS, within};
use crate::check::{
    context::Context,
    engine::Check,
    rules::{api, objects, pre, versions},
};

/// Whether the cluster answers, and is new enough.
pub fn kubernetes() -> Vec<Check<Context>> {
    let (api, version, gateway) = (within("kubernetes-api"), within("kubernetes-version"), within("gateway-api-crd"));
    vec![
        api("can initialize the client", "k8s-api", |c| Box::pin(api::client(c))).fatal(),
        api("can query the Kubernetes API", "k8s-api", |c| Box::pin(api::answers(c))).fatal(),
        version("is running the minimum Kubernetes API version", "k8s-version", |c| Box::pin(api::version(c))),
        gateway("Gateway API CRDs are installed", "gateway-api-crd", |c| Box::pin(api::gateway(c))).fatal(),
    ]
}

/// Whether the control plane can be installed.
pub fn setup() -> Vec<Check<Context>> {
    let check = within("pre-kubernetes-setup");
    vec![
        check("control plane namespace does not already exist", "pre-ns", |c| Box::pin(pre::namespace(c))),
        check("can create non-namespaced resources", "pre-k8s-cluster-k8s", |c| Box::pin(pre::cluster_scoped(c))),
        check("can create ServiceAccounts", "pre-k8s", |c| Box::pin(pre::may(c, "create", "", "serviceaccounts"))),
        check("can create Services", "pre-k8s", |c| Box::pin(pre::may(c, "create", "", "services"))),
        check("can create Deployments", "pre-k8s", |c| Box::pin(pre::may(c, "create", "apps", "deployments"))),
        check("can create ConfigMaps", "pre-k8s", |c| Box::pin(pre::may(c, "create", "", "configmaps"))),
        check("can create Secrets", "pre-k8s", |c| Box::pin(pre::may(c, "create", "", "secrets"))),
        check("can create Roles", "pre-k8s", |c| Box::pin(pre::may(c, "create", pre::RBAC, "roles"))),
        check("can create RoleBindings", "pre-k8s", |c| Box::pin(pre::may(c, "create", pre::RBAC, "rolebindings"))),
        check("can read Secrets", "pre-k8s", |c| Box::pin(pre::may(c, "get", "", "secrets"))),
        check("no clock skew detected", "pre-k8s-clock-skew", |c| Box::pin(pre::clocks(c))).warning(),
    ]
}

/// The custom resource definitions.
pub fn crds() -> Vec<Check<Context>> {
    let check = within("linkerd-crd");
    vec![check(DEFINITIONS, "l5d-existence-crd", |c| Box::pin(objects::definitions(c))).fatal().retried()]
}

/// Whether this program is the expected one.
pub fn version() -> Vec<Check<Context>> {
    let check = within("linkerd-version");
    vec![
        check("can determine the latest version", "l5d-version-latest", |c| Box::pin(versions::expected(c))).warning(),
        check("cli is up-to-date", "l5d-version-cli", |c| Box::pin(versions::cli_is_current(c))).warning(),
    ]
}
