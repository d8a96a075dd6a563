//! The effective configuration of a pod: values, then its namespace's annotations, then its own.

use crate::core::{
    additional_env,
    annotations::{
        ADDITIONAL_ENV, CATALOGUE, CLOSE_WAIT_TIMEOUT, Complaint, NATIVE_SIDECAR, NATIVE_SIDECAR_ALPHA,
        NATIVE_SIDECAR_BETA, Set, TRACE_ATTRIBUTE_PREFIX, parse_bool,
    },
    pod::PodView,
    settings::Settings,
    trust::TrustAnchors,
    validate::{self, Checked, InvalidValues, needs_networks},
    values::Values,
};
use linkerd_k8s::names::annotation::{DEFAULT_INBOUND_POLICY, INJECT};
use std::{collections::BTreeMap, fmt};

/// What all pods have in common: checked values and trust anchors.
#[derive(Clone, Debug)]
pub struct Config {
    /// Install values.
    pub values: Values,
    /// What the checks made of them.
    pub checked: Checked,
    /// Namespace of the control plane.
    pub control_plane_namespace: String,
    /// Trust anchors.
    pub anchors: TrustAnchors,
}

impl Config {
    /// Checks values.
    ///
    /// # Errors
    /// All mistakes in the values.
    pub fn new(
        values: Values,
        control_plane_namespace: impl Into<String>,
        anchors: TrustAnchors,
    ) -> Result<Self, InvalidValues> {
        let checked = validate::check(&values)?;
        Ok(Self { values, checked, control_plane_namespace: control_plane_namespace.into(), anchors })
    }
}

/// A pod's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Why a pod must not be created as it is: its author has to change it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// An annotation whose value is an error.
    #[error("annotation {key} on the {place}: {value:?} is not {expected}; correct or remove it")]
    Annotation {
        /// Its key.
        key: &'static str,
        /// Where it is.
        place: Place,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Close-wait needs root.
    #[error(
        "annotation {CLOSE_WAIT_TIMEOUT}: needs an init container that runs as root; \
         remove it, or install with proxyInit.runAsRoot=true"
    )]
    CloseWaitNeedsRoot,
    /// A policy that the proxy refuses to start with.
    #[error(
        "annotation {DEFAULT_INBOUND_POLICY}: {0} needs cluster networks; \
         use another policy, or install with clusterNetworks set"
    )]
    PolicyNeedsNetworks(String),
    /// A container that has the name of one that would be added.
    #[error("the pod has a container named {0}, which is the name of one that injection adds; rename it")]
    ContainerExists(String),
    /// A volume that has the name of one that would be added.
    #[error("the pod has a volume named {0}, which is the name of one that injection adds; rename it")]
    VolumeExists(String),
    /// A service account whose identity is no DNS name.
    #[error(
        "the identity {0} is no DNS name (at most 253 characters, 63 between dots); \
         use a service account with a shorter name"
    )]
    Identity(String),
    /// A template that cannot be patched.
    #[error("the pod template has no spec")]
    NoSpec,
}

/// Where an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the pod.
    Pod,
    /// On its namespace.
    Namespace,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pod => "pod",
            Self::Namespace => "namespace",
        })
    }
}

/// The effective configuration of one pod.
#[derive(Clone, Debug)]
pub struct Effective {
    /// Settings.
    pub settings: Settings,
    /// Annotations that the pod inherits from its namespace.
    pub inherited: BTreeMap<&'static str, String>,
    /// Values that were ignored or corrected, for the pod's author.
    pub warnings: Vec<String>,
}

impl Effective {
    /// Lays the annotations of a pod and its namespace over the values.
    ///
    /// # Errors
    /// The pod must not be created like that.
    pub fn of(config: &Config, namespace: &Namespace, pod: &PodView) -> Result<Self, Rejection> {
        let inherited = inherited(namespace, pod);
        let settings = config.checked.settings.clone();
        let mut effective = Self { settings, inherited, warnings: Vec::new() };
        effective.apply_fields(pod)?;
        effective.apply_native_sidecar(pod);
        effective.apply_ingress(pod);
        effective.apply_additional_env(namespace, pod);
        effective.apply_trace_attributes(pod);
        effective.check(config)?;
        Ok(effective)
    }

    /// The value of an annotation and where it is. A pod's own value wins, even an empty one.
    fn get<'a>(&'a self, key: &str, pod: &'a PodView) -> Option<(&'a str, Place)> {
        let own = pod.meta.annotations.get(key).map(|value| (value.as_str(), Place::Pod));
        own.or_else(|| self.inherited.get(key).map(|value| (value.as_str(), Place::Namespace)))
    }

    fn apply_fields(&mut self, pod: &PodView) -> Result<(), Rejection> {
        for entry in CATALOGUE {
            let Set::Field(set) = entry.set else { continue };
            let Some((value, place)) = self.get(entry.key, pod) else { continue };
            let value = value.to_owned();
            let effect = match set(&mut self.settings, &value) {
                Ok(()) => continue,
                Err(Complaint::Fatal(expected)) => {
                    return Err(Rejection::Annotation { key: entry.key, place, value, expected });
                }
                // An empty value blocks inheritance, which is a use of its own.
                Err(Complaint::Ignored(_)) if value.is_empty() => continue,
                Err(Complaint::Ignored(expected)) => format!("{} is not {expected}; it is ignored", quoted(&value)),
                Err(Complaint::Unused(expected)) => format!("{} is not {expected}; it has no effect", quoted(&value)),
                Err(Complaint::Dropped(items, expected)) => {
                    format!("{} is not {expected}; it is left out", quoted(&items.join(",")))
                }
            };
            self.warn(entry.key, place, &effect);
        }
        Ok(())
    }

    /// The first of three spellings that is present decides, even when it is invalid.
    fn apply_native_sidecar(&mut self, pod: &PodView) {
        let keys = [NATIVE_SIDECAR, NATIVE_SIDECAR_BETA, NATIVE_SIDECAR_ALPHA];
        let Some((key, (value, place))) = keys.into_iter().find_map(|key| Some((key, self.get(key, pod)?))) else {
            return;
        };
        match parse_bool(value) {
            Some(native) => self.settings.native_sidecar = native,
            None if value.is_empty() => {}
            None => self.warn(key, place, &format!("{} is not true or false; it is ignored", quoted(value))),
        }
    }

    fn apply_ingress(&mut self, pod: &PodView) {
        if let Some((value, _)) = self.get(INJECT, pod) {
            self.settings.ingress |= value == "ingress";
        }
    }

    /// The namespace's list counts even when the pod has its own.
    fn apply_additional_env(&mut self, namespace: &Namespace, pod: &PodView) {
        for (annotations, place) in [(&namespace.annotations, Place::Namespace), (&pod.meta.annotations, Place::Pod)] {
            let Some(text) = annotations.get(ADDITIONAL_ENV) else { continue };
            match additional_env::parse(text) {
                Ok(layer) => additional_env::overlay(&mut self.settings.additional_env, layer),
                Err(error) => self.warn(ADDITIONAL_ENV, place, &format!("{error}; it is ignored")),
            }
        }
    }

    fn apply_trace_attributes(&mut self, pod: &PodView) {
        let labels = &pod.meta.labels;
        let service = labels.get("app.kubernetes.io/instance").or_else(|| labels.get("app.kubernetes.io/name"));
        if let Some(service) = service.filter(|service| !service.is_empty()) {
            self.settings.trace_attributes.insert("service.name".into(), service.clone());
        }
        for (key, value) in &pod.meta.annotations {
            let Some(name) = key.strip_prefix(TRACE_ATTRIBUTE_PREFIX) else { continue };
            if value.contains(['\n', '\r']) {
                self.warn(key, Place::Pod, "is not on one line; it is ignored");
            } else {
                self.settings.trace_attributes.insert(name.to_owned(), value.clone());
            }
        }
    }

    fn check(&self, config: &Config) -> Result<(), Rejection> {
        if self.settings.close_wait_seconds > 0 && !config.values.proxy_init.run_as_root && !config.values.cni_enabled {
            return Err(Rejection::CloseWaitNeedsRoot);
        }
        let policy = &self.settings.default_inbound_policy;
        if needs_networks(policy) && config.checked.cluster_networks.is_empty() {
            return Err(Rejection::PolicyNeedsNetworks(policy.clone()));
        }
        Ok(())
    }

    /// Notes a value that was ignored or corrected.
    pub fn warn(&mut self, key: &str, place: Place, effect: &str) {
        self.warnings.push(format!("{key} on the {place}: {effect}"));
    }
}

/// Annotations of the namespace that the pod does not have itself.
fn inherited(namespace: &Namespace, pod: &PodView) -> BTreeMap<&'static str, String> {
    CATALOGUE
        .iter()
        .filter(|entry| entry.inherited && !pod.meta.annotations.contains_key(entry.key))
        .filter_map(|entry| Some((entry.key, namespace.annotations.get(entry.key)?.clone())))
        .collect()
}

/// A value in quotes, cut to what fits a warning.
fn quoted(value: &str) -> String {
    const LONGEST: usize = 48;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &value[..end]),
        None => format!("{value:?}"),
    }
}
