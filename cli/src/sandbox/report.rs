//! What a person, or a program, sees of a running sandbox.

use super::{
    runtime::Running,
    world::{World, text},
};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::{collections::BTreeMap, io::Write as _};

/// Most objects that one line names.
const NAMED: usize = 8;

/// Form of the live log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object on each line.
    Json,
}

/// Writes the live log to standard output.
#[derive(Debug, Default)]
pub struct Reporter {
    output: Output,
    known: BTreeMap<String, Value>,
    identities: BTreeMap<String, String>,
}

/// A pod, as the table of pods shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodRow {
    /// Namespace and name.
    pub name: String,
    /// Address.
    pub address: String,
    /// Identity; absent for a pod without proxy.
    pub identity: Option<String>,
}

/// The pods of a world.
pub fn pod_rows(objects: &[Value], trust_domain: &str) -> Vec<PodRow> {
    let pods = objects.iter().filter(|object| object["kind"] == "Pod");
    pods.map(|pod| {
        let meta = &pod["metadata"];
        let control_plane = meta["labels"][linkerd_k8s::names::label::CONTROL_PLANE_NS].as_str();
        let account = pod["spec"]["serviceAccountName"].as_str().filter(|name| !name.is_empty()).unwrap_or("default");
        let identity = control_plane.map(|control_plane| {
            linkerd_k8s::Identity::service_account(account, text(&meta["namespace"]), control_plane, trust_domain)
                .into()
        });
        PodRow {
            name: format!("{}/{}", text(&meta["namespace"]), text(&meta["name"])),
            address: text(&pod["status"]["podIP"]).to_owned(),
            identity,
        }
    })
    .collect()
}

impl Reporter {
    /// Writes in a form.
    pub fn new(output: Output) -> Self {
        Self { output, ..Self::default() }
    }

    /// Says where the control plane listens, after it started.
    pub fn started(&self, running: &Running) {
        let servers =
            [("identity", running.identity), ("destination", running.destination), ("policy", running.policy)];
        match self.output {
            Output::Json => self.line(&json!({"event": "started", "sandbox": running}).to_string()),
            Output::Text => {
                self.line(&format!("The control plane runs, version {}:", running.version));
                for (name, address) in servers.into_iter().chain([("admin", running.admin)]) {
                    self.line(&format!("  {name:<12} {address}"));
                }
                self.line("Ask it from another terminal, for example:");
                self.line("  linkerd diagnostics endpoints SERVICE.NAMESPACE.svc.cluster.local:PORT");
                self.line("  linkerd sandbox env POD");
                self.line("Edit the manifests and watch what changes; Ctrl-C stops.");
            }
        }
    }

    /// Says what a new reading of the manifests changed.
    pub fn changed(&mut self, world: &World, trust_domain: &str) {
        let objects: BTreeMap<String, Value> =
            world.objects.iter().map(|object| (object_name(object), object.clone())).collect();
        let is_first = self.known.is_empty();
        let added: Vec<_> = objects.keys().filter(|name| !self.known.contains_key(*name)).cloned().collect();
        let removed: Vec<_> = self.known.keys().filter(|name| !objects.contains_key(*name)).cloned().collect();
        let is_edited =
            |(name, object): &(&String, &Value)| self.known.get(*name).is_some_and(|known| known != *object);
        let changed: Vec<_> = objects.iter().filter(is_edited).map(|(name, _)| name.clone()).collect();
        self.known = objects;
        self.problems(world);
        match self.output {
            Output::Json => {
                let event = json!({"event": "objects", "added": added, "changed": changed, "removed": removed});
                self.line(&event.to_string());
            }
            Output::Text if is_first => self.line(&counts(world)),
            Output::Text => {
                for (verb, names) in [("added", &added), ("changed", &changed), ("removed", &removed)] {
                    if !names.is_empty() {
                        self.line(&format!("{verb}: {}", some(names)));
                    }
                }
            }
        }
        self.pods(pod_rows(&world.objects, trust_domain));
    }

    fn problems(&self, world: &World) {
        for problem in &world.problems {
            match self.output {
                Output::Json => self.line(
                    &json!({"event": "problem", "file": problem.file, "document": problem.document,
                            "field": problem.field, "reason": problem.reason})
                    .to_string(),
                ),
                Output::Text => self.line(&format!("problem: {problem}")),
            }
        }
        for warning in &world.warnings {
            match self.output {
                Output::Json => self.line(&json!({"event": "warning", "message": warning}).to_string()),
                Output::Text => self.line(&format!("warning: {warning}")),
            }
        }
    }

    /// Names the identities of pods that are new, or that have another one now.
    fn pods(&mut self, rows: Vec<PodRow>) {
        let identities = rows.iter().filter_map(|row| Some((row.name.clone(), row.identity.clone()?)));
        let identities: BTreeMap<_, _> = identities.collect();
        let is_news = |row: &&PodRow| row.identity.as_ref() != self.identities.get(&row.name);
        let news: Vec<_> = rows.iter().filter(is_news).collect();
        let width = news.iter().map(|row| row.name.len()).max().unwrap_or_default();
        for PodRow { name, address, identity } in news {
            match self.output {
                Output::Json => self
                    .line(&json!({"event": "pod", "pod": name, "address": address, "identity": identity}).to_string()),
                Output::Text => {
                    let identity = identity.as_deref().unwrap_or("(not meshed)");
                    self.line(&format!("pod  {name:<width$}  {address:<15}  {identity}"));
                }
            }
        }
        self.identities = identities;
    }

    fn line(&self, line: &str) {
        // A reader that has gone, such as `head`, is no reason to stop the control plane.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

fn object_name(object: &Value) -> String {
    let meta = &object["metadata"];
    let name = match text(&meta["namespace"]) {
        "" => text(&meta["name"]).to_owned(),
        namespace => format!("{namespace}/{}", text(&meta["name"])),
    };
    format!("{} {name}", text(&object["kind"]))
}

fn counts(world: &World) -> String {
    let count = |kind: &str| world.objects.iter().filter(|object| object["kind"] == kind).count();
    let (pods, services, policies) = (count("Pod"), count("Service"), count("Server") + count("AuthorizationPolicy"));
    let (profiles, problems) = (count("ServiceProfile"), world.problems.len());
    format!(
        "Read {pods} pods, {services} Services, {profiles} ServiceProfiles and {policies} policies, with {problems} problems."
    )
}

fn some(names: &[String]) -> String {
    let named = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
