//! Rules of injection, by the numbers of their acceptance cases.

mod containers;
mod decision;
mod ports;
mod properties;
mod settings;

use super::*;
use crate::core::{trust::TrustAnchors, values::Values};

const ANCHORS: &str = include_str!("../../../../tests/fixtures/trust-anchors.pem");

fn config(values: &str) -> Config {
    let values = Values::from_yaml(values).unwrap();
    Config::new(values, "linkerd", TrustAnchors::parse(ANCHORS).unwrap()).unwrap()
}

/// A pod on its way into a namespace that is enabled, unless told otherwise.
struct Case {
    values: String,
    namespace: Namespace,
    owner: Owner,
    pod: Value,
}

fn pod() -> Case {
    Case {
        values: String::new(),
        namespace: Namespace { name: "emojivoto".into(), annotations: BTreeMap::new() },
        owner: Owner::pod("web"),
        pod: json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": "web" },
            "spec": { "containers": [{ "name": "web", "image": "web:1" }] },
        }),
    }
    .on_namespace("linkerd.io/inject", "enabled")
}

impl Case {
    fn values(mut self, yaml: &str) -> Self {
        self.values = yaml.into();
        self
    }

    fn on_namespace(mut self, key: &str, value: &str) -> Self {
        self.namespace.annotations.insert(full(key), value.into());
        self
    }

    fn without_namespace_annotations(mut self) -> Self {
        self.namespace.annotations.clear();
        self
    }

    fn on_pod(mut self, key: &str, value: &str) -> Self {
        self.pod["metadata"]["annotations"][full(key)] = json!(value);
        self
    }

    fn with_label(mut self, key: &str, value: &str) -> Self {
        self.pod["metadata"]["labels"][key] = json!(value);
        self
    }

    fn owned_by(mut self, kind: &str, name: &str) -> Self {
        self.owner = Owner { kind: kind.into(), name: name.into() };
        self
    }

    fn spec(mut self, field: &str, value: Value) -> Self {
        self.pod["spec"][field] = value;
        self
    }

    fn container(mut self, field: &str, value: Value) -> Self {
        self.pod["spec"]["containers"][0][field] = value;
        self
    }

    fn init_container(self, value: Value) -> Self {
        self.spec("initContainers", json!([value]))
    }

    fn mutation(&self) -> Mutation {
        mutate(&config(&self.values), &self.namespace, &self.owner, "Pod", &self.pod).unwrap()
    }

    fn injected(&self) -> Injected {
        let mutation = self.mutation();
        let Action::Inject(patch) = mutation.action else { panic!("not injected: {:?}", mutation.action) };
        let mut pod = self.pod.clone();
        patch.apply(&mut pod).unwrap();
        Injected { pod, patch, annotation_at: mutation.annotation_at, warnings: mutation.warnings }
    }

    fn skipped(&self) -> Vec<&'static str> {
        match self.mutation().action {
            Action::Skip(reasons) | Action::Annotate(_, reasons) => {
                reasons.iter().map(|reason| reason.code()).collect()
            }
            action => panic!("not skipped: {action:?}"),
        }
    }

    fn rejected(&self) -> String {
        match self.mutation().action {
            Action::Reject(rejection) => rejection.to_string(),
            action => panic!("not rejected: {action:?}"),
        }
    }
}

/// Keys are written short in tests.
fn full(key: &str) -> String {
    if key.contains('/') { key.into() } else { format!("config.linkerd.io/{key}") }
}

struct Injected {
    pod: Value,
    patch: Patch,
    annotation_at: AnnotationAt,
    warnings: Vec<String>,
}

impl Injected {
    fn names(&self, list: &str) -> Vec<&str> {
        let list = self.pod["spec"][list].as_array();
        list.into_iter().flatten().map(|item| item["name"].as_str().unwrap()).collect()
    }

    fn container(&self, name: &str) -> &Value {
        let lists = ["initContainers", "containers"].into_iter();
        let mut all = lists.filter_map(|list| self.pod["spec"][list].as_array()).flatten();
        all.find(|container| container["name"] == name).unwrap_or_else(|| panic!("no container {name}"))
    }

    fn proxy(&self) -> &Value {
        self.container("linkerd-proxy")
    }

    fn init_args(&self) -> Vec<&str> {
        self.container("linkerd-init")["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect()
    }

    /// The value after a flag of `linkerd-init`.
    fn init_flag(&self, name: &str) -> Option<&str> {
        let args = self.init_args();
        args.iter().position(|arg| *arg == name).map(|position| args[position + 1])
    }

    /// The last value of a variable, which is the one that counts.
    fn env(&self, name: &str) -> Option<&str> {
        let env = self.proxy()["env"].as_array().unwrap();
        env.iter().rfind(|variable| variable["name"] == name).and_then(|variable| variable["value"].as_str())
    }

    fn proxy_env(&self, name: &str) -> Option<&str> {
        self.env(&format!("LINKERD2_PROXY_{name}"))
    }

    /// The last variables, as `NAME=value`.
    fn env_tail(&self, count: usize) -> Vec<String> {
        let env = self.proxy()["env"].as_array().unwrap();
        let show = |variable: &Value| {
            format!("{}={}", variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap_or("?"))
        };
        env[env.len() - count..].iter().map(show).collect()
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.pod["metadata"]["annotations"].get(full(key))?.as_str()
    }

    fn label(&self, key: &str) -> Option<&str> {
        self.pod["metadata"]["labels"].get(key)?.as_str()
    }

    fn paths(&self) -> Vec<&str> {
        self.patch.operations().iter().map(|operation| operation.path.as_str()).collect()
    }
}
