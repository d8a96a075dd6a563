//! Admission of pods and Services by the injector's own code.

use super::world::{Admit, Lookup, text};
use anyhow::Context as _;
use linkerd_injector::core::{
    config::{Config, Namespace},
    inject::{Action, mutate},
    owner::{self, FirstStep, IntermediateKind, Owner},
    trust::TrustAnchors,
    values::Values,
};
use linkerd_k8s::OwnerReference;
use serde::Deserialize as _;
use serde_json::Value;

/// Networks of the sandbox: those of clusters, and loopback, where its pods and Services are.
pub const CLUSTER_NETWORKS: &str = "10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fd00::/8,127.0.0.0/8";

/// The injector, set up for the sandbox.
pub struct Injector(Config);

impl Injector {
    /// Sets up the injector with the default values of an installation.
    ///
    /// # Errors
    /// When the trust anchors are no certificates, or the domains are no names.
    pub fn new(control_plane_namespace: &str, cluster_domain: &str, trust_anchors: &str) -> anyhow::Result<Self> {
        let values = Values {
            cluster_domain: cluster_domain.to_owned(),
            cluster_networks: CLUSTER_NETWORKS.to_owned(),
            ..Values::default()
        };
        let anchors = TrustAnchors::parse(trust_anchors).context("the sandbox's trust anchors cannot be read")?;
        Ok(Self(Config::new(values, control_plane_namespace, anchors)?))
    }
}

impl Admit for Injector {
    fn admit(&self, object: &mut Value, namespace: &Value, objects: &Lookup<'_>) -> Vec<String> {
        let namespace = namespace_view(namespace);
        let owner = owner_of(object, &namespace.name, objects);
        let mutation = match mutate(&self.0, &namespace, &owner, text(&object["kind"]), object) {
            Ok(mutation) => mutation,
            Err(malformed) => return vec![malformed.to_string()],
        };
        let mut said = mutation.warnings;
        match mutation.action {
            Action::Inject(patch) | Action::Annotate(patch, _) => {
                said.extend(patch.apply(object).err().map(|misfit| misfit.to_string()));
            }
            Action::Reject(rejection) => said.push(format!("a cluster would not create it: {rejection}")),
            Action::Skip(_) => {}
        }
        said
    }
}

fn namespace_view(namespace: &Value) -> Namespace {
    let annotations = namespace["metadata"]["annotations"].as_object().into_iter().flatten();
    Namespace {
        name: text(&namespace["metadata"]["name"]).to_owned(),
        annotations: annotations.map(|(key, value)| (key.clone(), text(value).to_owned())).collect(),
    }
}

fn owner_of(object: &Value, namespace: &str, objects: &Lookup<'_>) -> Owner {
    match owner::first_step(text(&object["metadata"]["name"]), &owners(object)) {
        FirstStep::Known(owner) => owner,
        FirstStep::Lookup(between) => {
            let kind = match between.kind {
                IntermediateKind::ReplicaSet => "ReplicaSet",
                IntermediateKind::Job => "Job",
            };
            let found = objects.get(kind, namespace, &between.name).map(owners);
            owner::second_step(&between, found.as_deref())
        }
    }
}

fn owners(object: &Value) -> Vec<OwnerReference> {
    // Metadata that cannot be decoded was reported before; such an object has no owner.
    Vec::deserialize(&object["metadata"]["ownerReferences"]).unwrap_or_default()
}
