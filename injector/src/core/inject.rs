//! What becomes of an object: the entry points of the core.
//!
//! [`mutate`] judges an object that is being created, [`inject`] writes the proxy into a workload of a
//! manifest. Both are pure: the same inputs give the same patch, byte for byte.

use crate::core::{
    config::{Config, Effective, Namespace, Place, Rejection},
    containers,
    decision::{self, AnnotationAt, SkipReason},
    env::{self, Inputs},
    owner::{Owner, UnfitName},
    patch::{Patch, escape},
    pod::{Malformed, MetaView, PodView},
    ports::{self, PortList},
    settings::Settings,
    volumes,
    workload::Workload,
};
use linkerd_k8s::{
    identity::{is_dns_label, is_dns_subdomain},
    names::{annotation, label},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What becomes of an object.
#[derive(Clone, Debug)]
pub struct Mutation {
    /// The decision.
    pub action: Action,
    /// Where the annotation was that decided.
    pub annotation_at: AnnotationAt,
    /// What its author should know.
    pub warnings: Vec<String>,
}

/// The decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The pod gets a proxy.
    Inject(Patch),
    /// The object gets no proxy, but an annotation with its opaque ports.
    Annotate(Patch, Vec<SkipReason>),
    /// The object stays as it is.
    Skip(Vec<SkipReason>),
    /// The object must not be created as it is.
    Reject(Rejection),
}

/// Judges an object that is being created.
///
/// `kind` is that of the object, in any case; kinds other than Pod and Service are left alone. The
/// object's own `kind` wins when it has one.
///
/// # Errors
/// The object does not have the shape of its kind.
pub fn mutate(
    config: &Config,
    namespace: &Namespace,
    owner: &Owner,
    kind: &str,
    object: &Value,
) -> Result<Mutation, Malformed> {
    let kind = object.get("kind").and_then(Value::as_str).filter(|kind| !kind.is_empty()).unwrap_or(kind);
    match Workload::from_kind(kind) {
        Some(Workload::Pod) => mutate_pod(config, namespace, owner, object),
        _ if kind.eq_ignore_ascii_case("service") => mutate_service(config, namespace, object),
        _ => Ok(Mutation {
            action: Action::Skip(vec![SkipReason::UnsupportedResource]),
            annotation_at: AnnotationAt::Nowhere,
            warnings: Vec::new(),
        }),
    }
}

fn mutate_pod(config: &Config, namespace: &Namespace, owner: &Owner, object: &Value) -> Result<Mutation, Malformed> {
    let pod = PodView::read(object)?;
    let (annotation_at, reasons) = decide(config, namespace, &pod);
    if reasons.is_empty() {
        let (action, warnings) = match inject_pod(config, namespace, owner, &pod) {
            Ok((patch, warnings)) => (Action::Inject(patch), warnings),
            Err(rejection) => (Action::Reject(rejection), Vec::new()),
        };
        return Ok(Mutation { action, annotation_at, warnings });
    }
    let derived = ports::opaque_of_pod(&pod, &default_opaque(config));
    let action = annotate(&pod.meta, namespace, &derived, reasons);
    Ok(Mutation { action, annotation_at, warnings: Vec::new() })
}

fn mutate_service(config: &Config, namespace: &Namespace, object: &Value) -> Result<Mutation, Malformed> {
    let meta = MetaView::read(object.as_object().ok_or(Malformed::NoObject("service"))?)?;
    let derived = ports::opaque_of_service(object, &default_opaque(config))?;
    let action = annotate(&meta, namespace, &derived, vec![SkipReason::UnsupportedResource]);
    Ok(Mutation { action, annotation_at: AnnotationAt::Nowhere, warnings: Vec::new() })
}

/// All reasons not to inject a pod, in the order in which they are reported.
fn decide(config: &Config, namespace: &Namespace, pod: &PodView) -> (AnnotationAt, Vec<SkipReason>) {
    let mut reasons = Vec::new();
    if pod.spec.host_network {
        reasons.push(SkipReason::HostNetwork);
    }
    if decision::has_sidecar(pod) {
        reasons.push(SkipReason::SidecarExists);
    }
    let value = |annotations: &BTreeMap<String, String>| annotations.get(annotation::INJECT).cloned();
    let (at, result) =
        decision::by_annotation(value(&namespace.annotations).as_deref(), value(&pod.meta.annotations).as_deref());
    reasons.extend(result.err());
    if !config.values.identity.service_account_token_projection && decision::lacks_token(pod) {
        reasons.push(SkipReason::NoServiceAccountToken);
    }
    (at, reasons)
}

fn default_opaque(config: &Config) -> PortList {
    PortList::parse(&config.checked.settings.opaque_ports).0
}

/// An object without proxy still tells clients on which of its ports not to detect the protocol.
fn annotate(meta: &MetaView, namespace: &Namespace, derived: &PortList, reasons: Vec<SkipReason>) -> Action {
    let inherited = namespace.annotations.get(annotation::OPAQUE_PORTS);
    let value = match inherited {
        _ if meta.annotations.contains_key(annotation::OPAQUE_PORTS) => return Action::Skip(reasons),
        Some(value) => value.clone(),
        None if derived.is_empty() => return Action::Skip(reasons),
        None => derived.to_string(),
    };
    let mut patch = Patch::default();
    if meta.annotations.is_empty() {
        patch.add("/metadata/annotations", json!({}));
    }
    patch.add(format!("/metadata/annotations/{}", escape(annotation::OPAQUE_PORTS)), value);
    Action::Annotate(patch, reasons)
}

fn inject_pod(
    config: &Config,
    namespace: &Namespace,
    owner: &Owner,
    pod: &PodView,
) -> Result<(Patch, Vec<String>), Rejection> {
    let mut effective = Effective::of(config, namespace, pod)?;
    let mut annotations: BTreeMap<String, String> =
        effective.inherited.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let opaque = derive_opaque(config, &effective, pod);
    if let Some(opaque) = opaque {
        effective.settings.opaque_ports.clone_from(&opaque);
        annotations.insert(annotation::OPAQUE_PORTS.into(), opaque);
    }
    annotations.insert(annotation::CREATED_BY.into(), format!("linkerd/proxy-injector {}", crate::VERSION));
    let target = Target { workload: Workload::Pod, namespace: &namespace.name, owner };
    plan(config, effective, pod, &target, annotations)
}

/// The opaque ports of a pod about which neither it nor its namespace says anything.
fn derive_opaque(config: &Config, effective: &Effective, pod: &PodView) -> Option<String> {
    let is_given = pod.meta.annotations.contains_key(annotation::OPAQUE_PORTS)
        || effective.inherited.contains_key(annotation::OPAQUE_PORTS);
    let derived = ports::opaque_of_pod(pod, &default_opaque(config));
    (!is_given && !derived.is_empty()).then(|| derived.to_string())
}

/// Writes the proxy into a workload of a manifest.
///
/// The namespace's annotations are not known here, and opaque ports are not derived: the template's
/// own annotations are all that counts. `created_by` names the program. Returns the patch of the
/// whole object, and warnings.
///
/// # Errors
/// The template must be changed first.
pub fn inject(
    config: &Config,
    workload: Workload,
    meta: &MetaView,
    pod: &PodView,
    created_by: &str,
) -> Result<(Patch, Vec<String>), Rejection> {
    let effective = Effective::of(config, &Namespace::default(), pod)?;
    let annotations = BTreeMap::from([(annotation::CREATED_BY.to_owned(), created_by.to_owned())]);
    let owner = Owner { kind: workload.name().into(), name: meta.name.clone() };
    let target = Target { workload, namespace: &meta.namespace, owner: &owner };
    plan(config, effective, pod, &target, annotations)
}

/// What a patch is for.
struct Target<'a> {
    workload: Workload,
    namespace: &'a str,
    owner: &'a Owner,
}

fn plan(
    config: &Config,
    mut effective: Effective,
    pod: &PodView,
    target: &Target<'_>,
    mut annotations: BTreeMap<String, String>,
) -> Result<(Patch, Vec<String>), Rejection> {
    check_identity(config, pod, target.namespace)?;
    let (opaque_ports, bad) = PortList::parse_named(&effective.settings.opaque_ports, pod);
    if !bad.is_empty() {
        let place = match effective.inherited.contains_key(annotation::OPAQUE_PORTS) {
            true => Place::Namespace,
            false => Place::Pod,
        };
        let effect = format!("{:?} is no port, range or name of a container port; it is left out", bad.join(","));
        effective.warn(annotation::OPAQUE_PORTS, place, &effect);
    }
    annotations.insert(annotation::PROXY_VERSION.into(), effective.settings.version.clone());
    annotations.insert(annotation::TRUST_ROOT_SHA256.into(), config.anchors.sha256().to_owned());
    let labels = labels(config, target).unwrap_or_else(|(labels, unfit)| {
        effective.warnings.push(unfit.to_string());
        labels
    });
    let inbound_ports = effective.settings.pod_inbound_ports.clone().unwrap_or_else(|| ports::inbound(pod));
    let settings = &effective.settings;
    let inputs = Inputs { config, settings, inbound_ports: &inbound_ports, opaque_ports: &opaque_ports };
    let additions = Additions::new(&inputs, pod);
    additions.check(pod)?;
    if !pod.present.spec {
        return Err(Rejection::NoSpec);
    }
    let mut patch = Patch::default();
    let template = target.workload.template_pointer();
    add_metadata(&mut patch, template, pod, &annotations, &labels);
    additions.add(&mut patch, template, pod, settings);
    Ok((patch, effective.warnings))
}

/// A certificate cannot be issued for a name that is not one.
fn check_identity(config: &Config, pod: &PodView, namespace: &str) -> Result<(), Rejection> {
    let namespace = if namespace.is_empty() { "default" } else { namespace };
    let identity = env::identity_name(config, pod.service_account(), namespace);
    let is_name = is_dns_subdomain(&identity) && identity.split('.').all(is_dns_label);
    if is_name { Ok(()) } else { Err(Rejection::Identity(identity)) }
}

type Labels = BTreeMap<String, String>;

fn labels(config: &Config, target: &Target<'_>) -> Result<Labels, (Labels, UnfitName)> {
    let mut labels = BTreeMap::from([
        (label::CONTROL_PLANE_NS.to_owned(), config.control_plane_namespace.clone()),
        (label::WORKLOAD_NS.to_owned(), target.namespace.to_owned()),
    ]);
    match target.owner.label() {
        Ok(Some((key, name))) => drop(labels.insert(key, name.to_owned())),
        Ok(None) => {}
        Err(unfit) => return Err((labels, unfit)),
    }
    Ok(labels)
}

fn add_metadata(patch: &mut Patch, template: &str, pod: &PodView, annotations: &Labels, labels: &Labels) {
    let add_all = |patch: &mut Patch, field: &str, is_present: bool, entries: &Labels| {
        if !is_present {
            patch.add(format!("{template}/metadata/{field}"), json!({}));
        }
        for (key, value) in entries {
            patch.add(format!("{template}/metadata/{field}/{}", escape(key)), value.as_str());
        }
    };
    if !pod.present.metadata {
        patch.add(format!("{template}/metadata"), json!({}));
    }
    add_all(patch, "annotations", pod.present.annotations, annotations);
    add_all(patch, "labels", pod.present.labels, labels);
}

/// Volumes and containers that injection adds.
struct Additions {
    init_volume: Option<Value>,
    first_init: Value,
    debug: Option<Value>,
    proxy_volumes: Vec<Value>,
    proxy: Value,
}

impl Additions {
    fn new(inputs: &Inputs<'_>, pod: &PodView) -> Self {
        let (config, settings) = (inputs.config, inputs.settings);
        let is_cni = config.values.cni_enabled;
        Self {
            init_volume: (!is_cni).then(|| volumes::xtables_lock(config)),
            first_init: match is_cni {
                true => containers::validator(config, settings),
                false => containers::init(config, settings, pod),
            },
            debug: settings.debug.enabled.then(|| containers::debug(&settings.debug)),
            proxy_volumes: volumes::of_proxy(config),
            proxy: containers::proxy(inputs, pod),
        }
    }

    /// Names of containers and volumes are unique in a pod.
    fn check(&self, pod: &PodView) -> Result<(), Rejection> {
        let names = |values: Vec<&Value>| -> Vec<String> {
            values.iter().filter_map(|value| Some(value.get("name")?.as_str()?.to_owned())).collect()
        };
        let containers = names([&self.first_init, &self.proxy].into_iter().chain(&self.debug).collect());
        let volumes = names(self.init_volume.iter().chain(&self.proxy_volumes).collect());
        if let Some(name) = containers.into_iter().find(|name| pod.all_containers().any(|own| own.name == *name)) {
            return Err(Rejection::ContainerExists(name));
        }
        match volumes.into_iter().find(|name| pod.spec.volumes.iter().any(|own| own.name == *name)) {
            Some(name) => Err(Rejection::VolumeExists(name)),
            None => Ok(()),
        }
    }

    fn add(self, patch: &mut Patch, template: &str, pod: &PodView, settings: &Settings) {
        let spec = |field: &str| format!("{template}/spec/{field}");
        if !pod.present.volumes {
            patch.add(spec("volumes"), json!([]));
        }
        if !pod.present.init_containers {
            patch.add(spec("initContainers"), json!([]));
        }
        if let Some(volume) = self.init_volume {
            patch.add(spec("volumes/-"), volume);
        }
        patch.add(spec(if settings.native_sidecar { "initContainers/0" } else { "initContainers/-" }), self.first_init);
        if let Some(debug) = self.debug {
            patch.add(spec("containers/-"), debug);
        }
        for volume in self.proxy_volumes {
            patch.add(spec("volumes/-"), volume);
        }
        let place = match (settings.native_sidecar, settings.await_proxy) {
            (true, _) => "initContainers/1",
            // The kubelet runs a container's postStart hook before it starts the next container.
            (false, true) => "containers/0",
            (false, false) => "containers/-",
        };
        patch.add(spec(place), self.proxy);
    }
}

#[cfg(test)]
mod tests;
