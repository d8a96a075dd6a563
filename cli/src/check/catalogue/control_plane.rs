//! The control plane.

use super::{DEFINITIONS, within};
use crate::check::{
    context::Context,
    engine::Check,
    rules::{
        cni, control_plane, extension_namespaces, identity, networks, objects, versions, webhook_answers,
        webhooks::{self, INJECTOR, POLICIES, PROFILES},
    },
};

/// Whether the control plane is there and runs.
pub fn existence() -> Vec<Check<Context>> {
    let check = within("linkerd-existence");
    let config_map = "'linkerd-config' config map exists";
    let replica_sets = "control plane replica sets are ready";
    let (nodes, pods, services) = (
        "cluster networks contains all node podCIDRs",
        "cluster networks contains all pods",
        "cluster networks contains all services",
    );
    vec![
        check(config_map, "l5d-existence-linkerd-config", |c| Box::pin(control_plane::config(c))).fatal(),
        check(replica_sets, "l5d-existence-replicasets", |c| Box::pin(control_plane::replica_sets(c)))
            .fatal()
            .retried(),
        check("no unschedulable pods", "l5d-existence-unschedulable-pods", |c| Box::pin(control_plane::scheduled(c)))
            .warning()
            .retried()
            .with_reason(),
        check("control plane pods are ready", "l5d-api-control-ready", |c| Box::pin(control_plane::pods(c)))
            .fatal()
            .retried()
            .with_reason(),
        check(nodes, "l5d-cluster-networks-cidr", |c| Box::pin(networks::nodes(c))),
        check(pods, "l5d-cluster-networks-pods", |c| Box::pin(networks::pods(c))),
        check(services, "l5d-cluster-networks-pods", |c| Box::pin(networks::services(c))),
    ]
}

/// Whether its objects are there.
pub fn config() -> Vec<Check<Context>> {
    let check = within("linkerd-config");
    let mutating = "control plane MutatingWebhookConfigurations exist";
    let validating = "control plane ValidatingWebhookConfigurations exist";
    let docker = "proxy-init container runs as root user if docker container runtime is used";
    let bindings = "control plane ClusterRoleBindings exist";
    let accounts = "control plane ServiceAccounts exist";
    vec![
        check("control plane Namespace exists", "l5d-existence-ns", |c| Box::pin(objects::namespace(c))).fatal(),
        check("control plane ClusterRoles exist", "l5d-existence-cr", |c| Box::pin(objects::cluster_roles(c))).fatal(),
        check(bindings, "l5d-existence-crb", |c| Box::pin(objects::cluster_role_bindings(c))).fatal(),
        // With these, webhooks keep their certificates.
        check("control plane Roles exist", "", |c| Box::pin(objects::roles(c))).fatal(),
        check("control plane RoleBindings exist", "", |c| Box::pin(objects::role_bindings(c))).fatal(),
        check(accounts, "l5d-existence-sa", |c| Box::pin(objects::service_accounts(c))).fatal(),
        check(DEFINITIONS, "l5d-existence-crd", |c| Box::pin(objects::definitions(c))).fatal(),
        check(mutating, "l5d-existence-mwc", |c| Box::pin(objects::mutating_webhooks(c))).fatal(),
        check(validating, "l5d-existence-vwc", |c| Box::pin(objects::validating_webhooks(c))).fatal(),
        check(docker, "l5d-proxy-init-run-as-root", |c| Box::pin(control_plane::docker(c))),
    ]
}

/// Whether the CNI plug-in is there, where it is used.
pub fn cni_plugin() -> Vec<Check<Context>> {
    let check = within("linkerd-cni-plugin");
    vec![
        check("cni plugin ConfigMap exists", "cni-plugin-cm-exists", |c| Box::pin(cni::config_map(c))).fatal(),
        check("cni plugin ClusterRole exists", "cni-plugin-cr-exists", |c| Box::pin(cni::cluster_role(c))).fatal(),
        check("cni plugin ClusterRoleBinding exists", "cni-plugin-crb-exists", |c| {
            Box::pin(cni::cluster_role_binding(c))
        })
        .fatal(),
        check("cni plugin ServiceAccount exists", "cni-plugin-sa-exists", |c| Box::pin(cni::service_account(c)))
            .fatal(),
        check("cni plugin DaemonSet exists", "cni-plugin-ds-exists", |c| Box::pin(cni::daemon_set(c))).fatal(),
        check("cni plugin pod is running on all nodes", "cni-plugin-ready", |c| Box::pin(cni::pods(c)))
            .fatal()
            .retried()
            .with_reason(),
    ]
}

/// Whether its issuer can issue.
pub fn certificates() -> Vec<Check<Context>> {
    let check = within("linkerd-identity");
    let (crypto, time, soon) = (
        "trust anchors are using supported crypto algorithm",
        "trust anchors are within their validity period",
        "trust anchors are valid for at least 60 days",
    );
    let (issuer_crypto, issuer_time, issuer_soon) = (
        "issuer cert is using supported crypto algorithm",
        "issuer cert is within its validity period",
        "issuer cert is valid for at least 60 days",
    );
    let issued = "issuer cert is issued by the trust anchor";
    vec![
        check("certificate config is valid", "l5d-identity-cert-config-valid", |c| Box::pin(identity::config(c)))
            .fatal(),
        check(crypto, "l5d-identity-trustAnchors-use-supported-crypto", |c| Box::pin(identity::anchor_algorithms(c)))
            .fatal(),
        check(time, "l5d-identity-trustAnchors-are-time-valid", |c| Box::pin(identity::anchors_in_time(c))).fatal(),
        check(soon, "l5d-identity-trustAnchors-not-expiring-soon", |c| Box::pin(identity::anchors_last(c))).warning(),
        check(issuer_crypto, "l5d-identity-issuer-cert-uses-supported-crypto", |c| {
            Box::pin(identity::issuer_algorithm(c))
        })
        .fatal(),
        check(issuer_time, "l5d-identity-issuer-cert-is-time-valid", |c| Box::pin(identity::issuer_in_time(c))).fatal(),
        check(issuer_soon, "l5d-identity-issuer-cert-not-expiring-soon", |c| Box::pin(identity::issuer_lasts(c)))
            .warning(),
        check(issued, "l5d-identity-issuer-cert-issued-by-trust-anchor", |c| Box::pin(identity::issuer_is_trusted(c))),
    ]
}

/// The checks of one webhook's certificate: whoever renews it, it must last until then.
macro_rules! webhook {
    ($check:ident, $name:literal, $webhook:expr) => {
        [
            $check(concat!($name, " webhook has valid cert"), concat!("l5d-", $name, "-webhook-cert-valid"), |c| {
                Box::pin(webhooks::is_valid(c, $webhook))
            })
            .fatal(),
            $check(
                concat!($name, " cert is valid for at least 60 days"),
                concat!("l5d-", $name, "-webhook-cert-not-expiring-soon"),
                |c| Box::pin(webhooks::lasts_long(c, $webhook)),
            )
            .warning(),
            $check(concat!($name, " cert is renewed in time"), "", |c| Box::pin(webhooks::is_renewed(c, $webhook)))
                .warning(),
        ]
    };
}

/// Whether its webhooks are trusted, and answer.
pub fn webhook_tls() -> Vec<Check<Context>> {
    let check = within("linkerd-webhooks-and-apisvc-tls");
    let mut checks = Vec::new();
    checks.extend(webhook!(check, "proxy-injector", INJECTOR));
    checks.extend(webhook!(check, "sp-validator", PROFILES));
    checks.extend(webhook!(check, "policy-validator", POLICIES));
    checks.push(
        check("proxy-injector webhook answers", "", |c| Box::pin(webhook_answers::injector(c))).retried().with_reason(),
    );
    checks.push(
        check("sp-validator webhook answers", "", |c| Box::pin(webhook_answers::profiles(c))).retried().with_reason(),
    );
    checks
}

/// Whether its version fits.
pub fn control_plane_version() -> Vec<Check<Context>> {
    let check = within("control-plane-version");
    let matching = "control plane and cli versions match";
    vec![
        check("can retrieve the control plane version", "l5d-version-control", |c| {
            Box::pin(versions::control_plane(c))
        })
        .fatal()
        .retried(),
        check("control plane is up-to-date", "l5d-version-control", |c| {
            Box::pin(versions::control_plane_is_current(c))
        })
        .warning(),
        check(matching, "l5d-version-control", |c| Box::pin(versions::match_each_other(c))).warning(),
    ]
}

/// Whether it has replicas, where it should.
pub fn high_availability() -> Vec<Check<Context>> {
    let check = within("linkerd-ha-checks");
    let title = "multiple replicas of control plane pods";
    vec![check(title, "l5d-control-plane-replicas", |c| Box::pin(control_plane::replicas(c))).warning().retried()]
}

/// Whether extensions are set up.
pub fn extensions() -> Vec<Check<Context>> {
    let check = within("linkerd-extension-checks");
    let title = "namespace configuration for extensions";
    vec![check(title, "l5d-extension-namespaces", |c| Box::pin(extension_namespaces::are_unique(c))).warning()]
}
