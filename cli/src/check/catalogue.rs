//! The table of all checks, in the order in which they run.
//!
//! Some checks that one may miss are left out on purpose:
//! - `linkerd-control-plane-proxy`: pods of the control plane have no proxies; its processes certify themselves;
//! - the heartbeat, and the right to make CronJobs: there is none;
//! - the ConfigMap `extension-apiserver-authentication`: nothing that is installed here extends the API server;
//! - that proxies have the version of the command: they have versions of their own.

mod cluster;
mod control_plane;
mod proxies;

use super::{
    context::Context,
    engine::{Check, Run},
};

/// A check of more than one category.
const DEFINITIONS: &str = "control plane CustomResourceDefinitions exist";

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Whether the control plane can be installed; `cni`: beside the CNI plug-in.
    Pre { cni: bool },
    /// Whether the custom resource definitions are installed.
    Crds,
    /// Whether the control plane works.
    ControlPlane,
    /// Whether it and the data plane work.
    DataPlane,
}

/// The checks of a mode.
pub fn of(mode: Mode) -> Vec<Check<Context>> {
    let groups: &[fn() -> Vec<Check<Context>>] = match mode {
        Mode::Pre { cni: false } => &[cluster::kubernetes, cluster::setup, cluster::version],
        Mode::Pre { cni: true } => &[cluster::kubernetes, cluster::setup, control_plane::cni_plugin, cluster::version],
        Mode::Crds => &[cluster::kubernetes, cluster::crds, cluster::version],
        Mode::ControlPlane => &[
            cluster::kubernetes,
            control_plane::existence,
            control_plane::config,
            control_plane::cni_plugin,
            control_plane::certificates,
            control_plane::webhook_tls,
            cluster::version,
            control_plane::control_plane_version,
            control_plane::high_availability,
            control_plane::extensions,
        ],
        Mode::DataPlane => &[
            cluster::kubernetes,
            control_plane::existence,
            control_plane::config,
            control_plane::cni_plugin,
            control_plane::certificates,
            control_plane::webhook_tls,
            proxies::data_plane_certificates,
            cluster::version,
            proxies::proxies,
            control_plane::high_availability,
        ],
    };
    groups.iter().flat_map(|group| group()).collect()
}

/// Makes a function that makes checks of one category.
fn within(category: &'static str) -> impl Fn(&'static str, &'static str, Run<Context>) -> Check<Context> {
    move |title, anchor, run| Check::new(category, title, anchor, run)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn categories(mode: Mode) -> Vec<&'static str> {
        let mut categories: Vec<&str> = of(mode).iter().map(Check::category).collect();
        categories.dedup();
        categories
    }

    #[test]
    fn each_mode_has_its_categories_in_order() {
        let first = ["kubernetes-api", "kubernetes-version", "gateway-api-crd"];
        let with = |rest: &[&'static str]| [&first[..], rest].concat();
        let pre = ["pre-kubernetes-setup", "linkerd-version"];
        assert_eq!(categories(Mode::Pre { cni: false }), with(&pre));
        assert_eq!(categories(Mode::Pre { cni: true }), with(&[pre[0], "linkerd-cni-plugin", pre[1]]));
        assert_eq!(categories(Mode::Crds), with(&["linkerd-crd", "linkerd-version"]));
        let core = [
            "linkerd-existence",
            "linkerd-config",
            "linkerd-cni-plugin",
            "linkerd-identity",
            "linkerd-webhooks-and-apisvc-tls",
        ];
        let control_plane =
            ["linkerd-version", "control-plane-version", "linkerd-ha-checks", "linkerd-extension-checks"];
        assert_eq!(categories(Mode::ControlPlane), with(&[&core[..], &control_plane].concat()));
        let data_plane = ["linkerd-identity-data-plane", "linkerd-version", "linkerd-data-plane", "linkerd-ha-checks"];
        assert_eq!(categories(Mode::DataPlane), with(&[&core[..], &data_plane].concat()));
    }
}
