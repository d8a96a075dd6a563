//! The objects of a cluster that has just these manifests: what they say, and what a cluster makes of
//! them.

use super::{
    addresses::{Addresses, Range, uid},
    endpoints::{self, Backends},
    validate,
    workloads::{self, WORKLOADS},
};
use linkerd_controller::source::{Document, Problem};
use linkerd_k8s::{ExternalWorkload, Pod, Service};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    path::Path,
};

/// The only node.
pub const NODE: &str = "sandbox";

/// What happens to pods and Services when they are created: admission.
pub trait Admit {
    /// Changes an object as the injector's webhook would. Returns what the user should know.
    ///
    /// `objects` are those that exist already, for the owners of pods.
    fn admit(&self, object: &mut Value, namespace: &Value, objects: &Lookup<'_>) -> Vec<String>;
}

/// Finds objects by kind, namespace and name.
pub struct Lookup<'a>(HashMap<(&'a str, &'a str, &'a str), &'a Value>);

impl<'a> Lookup<'a> {
    fn new(objects: &'a [Value]) -> Self {
        Self(objects.iter().map(|object| (key(object), object)).collect())
    }

    /// An object, if it exists.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<&'a Value> {
        self.0.get(&(kind, namespace, name)).copied()
    }
}

fn key(object: &Value) -> (&str, &str, &str) {
    (text(&object["kind"]), text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}

/// All objects, and what is wrong with the manifests.
#[derive(Debug, Default)]
pub struct World {
    /// Objects, those of the manifests and those that were made of them.
    pub objects: Vec<Value>,
    /// Documents that are left out, or fields that mean nothing.
    pub problems: Vec<Problem>,
    /// What admission has to say about objects that it took, and files that are read otherwise than one
    /// might think.
    pub warnings: Vec<String>,
}

/// Makes a cluster of manifests.
pub fn build(documents: Vec<Document>, admission: &impl Admit) -> World {
    let (kustomizations, documents): (Vec<_>, Vec<_>) = documents.into_iter().partition(Document::is_kustomization);
    let (given, problems) = accept(documents);
    let mut given = with_namespaces(given);
    let expanded: Vec<Value> = given.iter().filter(|object| is_workload(object)).flat_map(workloads::expand).collect();
    given.extend(expanded);
    given.push(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "uid": uid("Node", "", NODE)}}));
    let (created, said) = admit_all(&given, admission);
    let warnings = kustomizations.iter().map(unapplied).chain(said).collect();
    let mut objects = run(created);
    objects.extend(slices(&objects));
    World { objects, problems, warnings }
}

/// What to do about a kustomization, whose files are read as they are.
fn unapplied(kustomization: &Document) -> String {
    let file = kustomization.file.display();
    let folder = kustomization.file.parent().unwrap_or(Path::new(".")).display();
    format!(
        "{file} is left out, since only plain manifests are read; for what it makes, run the sandbox on the output of: kubectl kustomize {folder}"
    )
}

/// Gives every object its namespace and UID, and leaves out what is wrong.
fn accept(documents: Vec<Document>) -> (Vec<Value>, Vec<Problem>) {
    let mut accepted: BTreeMap<(String, String, String), Value> = BTreeMap::new();
    let mut problems = Vec::new();
    for Document { file, index, mut object } in documents {
        complete(&mut object);
        let problem = |field: String, reason: String| Problem { file: file.clone(), document: index, field, reason };
        if let Err(validate::Invalid { field, reason }) = validate::object(&object) {
            problems.push(problem(field, reason));
            continue;
        }
        let (kind, namespace, name) = key(&object);
        let id = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        if accepted.contains_key(&id) {
            let reason = format!("{kind} {namespace}/{name} was defined before; this definition is used");
            problems.push(problem("metadata.name".to_owned(), reason));
        }
        accepted.insert(id, object);
    }
    (accepted.into_values().collect(), problems)
}

fn complete(object: &mut Value) {
    let kind = text(&object["kind"]).to_owned();
    if !validate::is_cluster_scoped(&kind) && text(&object["metadata"]["namespace"]).is_empty() {
        object["metadata"]["namespace"] = "default".into();
    }
    if text(&object["metadata"]["uid"]).is_empty() {
        let (kind, namespace, name) = key(object);
        object["metadata"]["uid"] = uid(kind, namespace, name).into();
    }
}

/// Adds the namespaces that objects are in but no manifest defines.
fn with_namespaces(mut objects: Vec<Value>) -> Vec<Value> {
    let defined = |objects: &[Value], name: &str| objects.iter().any(|object| key(object) == ("Namespace", "", name));
    let mut missing: Vec<String> = objects.iter().map(|object| key(object).1.to_owned()).collect();
    missing.sort_unstable();
    missing.dedup();
    missing.retain(|name| !name.is_empty() && !defined(&objects, name));
    let made = missing.iter().map(|name| {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "uid": uid("Namespace", "", name)}})
    });
    objects.extend(made);
    objects
}

fn admit_all(given: &[Value], admission: &impl Admit) -> (Vec<Value>, Vec<String>) {
    let lookup = Lookup::new(given);
    let mut warnings = Vec::new();
    let admitted = given.iter().map(|object| {
        let mut object = object.clone();
        let (kind, namespace, name) = key(&object);
        if let ("Pod" | "Service", Some(namespace)) = (kind, lookup.get("Namespace", "", namespace)) {
            let named = format!("{kind} {}/{name}", text(&namespace["metadata"]["name"]));
            let said = admission.admit(&mut object, namespace, &lookup);
            warnings.extend(said.into_iter().map(|warning| format!("{named}: {warning}")));
        }
        object
    });
    (admitted.collect(), warnings)
}

/// Schedules and starts pods, and gives pods and Services their addresses.
fn run(objects: Vec<Value>) -> Vec<Value> {
    let mut addresses = Addresses::default();
    for object in &objects {
        let (_, namespace, name) = key(object);
        let given = [&object["status"]["podIP"], &object["spec"]["clusterIP"]];
        for address in given.iter().filter_map(|given| text(given).parse::<Ipv4Addr>().ok()) {
            addresses.reserve(address, &format!("{namespace}/{name}"));
        }
    }
    objects
        .into_iter()
        .map(|object| match key(&object).0 {
            "Pod" => start(object, &mut addresses),
            "Service" => expose(object, &mut addresses),
            _ => object,
        })
        .collect()
}

fn start(mut pod: Value, addresses: &mut Addresses) -> Value {
    if text(&pod["spec"]["nodeName"]).is_empty() {
        pod["spec"]["nodeName"] = NODE.into();
    }
    if pod["spec"]["hostNetwork"] == true {
        declare_host_ports(&mut pod);
    }
    if !text(&pod["status"]["phase"]).is_empty() {
        return pod;
    }
    let (_, namespace, name) = key(&pod);
    let address = match pod["spec"]["hostNetwork"] == true {
        true => Ipv4Addr::LOCALHOST.to_string(),
        false => addresses.draw(Range::Pods, &format!("{namespace}/{name}")).to_string(),
    };
    pod["status"] = json!({
        "phase": "Running",
        "podIP": address, "podIPs": [{"ip": address}],
        "hostIP": "127.0.0.1", "hostIPs": [{"ip": "127.0.0.1"}],
        "conditions": [{"type": "Ready", "status": "True"}],
    });
    pod
}

/// On the host's network every declared port is a port of the host, as the API server defaults it.
fn declare_host_ports(pod: &mut Value) {
    let containers = pod["spec"]["containers"].as_array_mut().into_iter().flatten();
    for port in containers.flat_map(|container| container["ports"].as_array_mut().into_iter().flatten()) {
        port["hostPort"] = port["containerPort"].clone();
    }
}

fn expose(mut service: Value, addresses: &mut Addresses) -> Value {
    let has_address = !text(&service["spec"]["clusterIP"]).is_empty();
    if has_address || service["spec"]["type"] == "ExternalName" {
        return service;
    }
    let (_, namespace, name) = key(&service);
    let address = addresses.draw(Range::Services, &format!("{namespace}/{name}")).to_string();
    service["spec"]["clusterIP"] = address.as_str().into();
    service["spec"]["clusterIPs"] = json!([address]);
    service
}

fn slices(objects: &[Value]) -> Vec<Value> {
    let pods: Vec<Pod> = decoded(objects, "Pod");
    let external_workloads: Vec<ExternalWorkload> = decoded(objects, "ExternalWorkload");
    let backends = Backends { pods: &pods, external_workloads: &external_workloads };
    decoded::<Service>(objects, "Service").iter().flat_map(|service| endpoints::slices(service, &backends)).collect()
}

fn decoded<T: serde::de::DeserializeOwned>(objects: &[Value], kind: &str) -> Vec<T> {
    let of_kind = objects.iter().filter(|object| object["kind"] == kind);
    // Objects that cannot be decoded were left out with a message before.
    of_kind.filter_map(|object| T::deserialize(object).ok()).collect()
}

fn is_workload(object: &Value) -> bool {
    WORKLOADS.contains(&text(&object["kind"]))
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
