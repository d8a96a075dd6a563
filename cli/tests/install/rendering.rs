//! The two programs, and what they render.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    process::{Command, Output},
};

/// Objects by kind and name, in the order in which they were printed.
#[derive(Debug, PartialEq)]
pub struct Objects(Vec<((String, String), Value)>);

impl Objects {
    pub fn read(text: &str) -> Self {
        let documents: Vec<Value> = match text.starts_with('{') {
            true => text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect(),
            false => serde_saphyr::from_multiple(text).expect("YAML"),
        };
        let field = |object: &Value, path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or("").to_owned();
        let keyed = documents
            .into_iter()
            .filter(|object| !object.is_null())
            .map(|object| ((field(&object, "/kind"), field(&object, "/metadata/name")), object));
        let objects: Vec<_> = keyed.collect();
        let distinct: BTreeMap<_, _> = objects.iter().map(|(key, object)| (key, object)).collect();
        assert_eq!(distinct.len(), objects.len(), "an object is there twice");
        Self(objects)
    }

    #[track_caller]
    pub fn get(&self, kind: &str, name: &str) -> &Value {
        let found = self.0.iter().find(|((its_kind, its_name), _)| its_kind == kind && its_name == name);
        found.map(|(_, object)| object).unwrap_or_else(|| panic!("no {kind} {name} in {:?}", self.in_order()))
    }

    /// Every object.
    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().map(|(_, object)| object)
    }

    /// `KIND NAME` of every object.
    pub fn in_order(&self) -> Vec<String> {
        self.0.iter().map(|((kind, name), _)| format!("{kind} {name}")).collect()
    }

    pub fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = self.0.iter().map(|((kind, _), _)| kind.as_str()).collect();
        kinds.dedup();
        kinds
    }

    /// The values in the ConfigMap `linkerd-config`.
    pub fn config(&self) -> Value {
        serde_saphyr::from_str(self.config_text()).expect("YAML")
    }

    /// The same as they are stored.
    pub fn config_text(&self) -> &str {
        self.get("ConfigMap", "linkerd-config")["data"]["values"].as_str().expect("a text")
    }

    /// The values in the Secret `linkerd-config-overrides`.
    pub fn stored(&self) -> Value {
        let data = &self.get("Secret", "linkerd-config-overrides")["data"]["linkerd-config-overrides"];
        let text = BASE64_STANDARD.decode(data.as_str().expect("a text")).expect("base64");
        serde_saphyr::from_str(std::str::from_utf8(&text).expect("UTF-8")).expect("YAML")
    }

    /// The text of everything that is not secret.
    pub fn without_secrets(&self) -> String {
        self.0.iter().filter(|((kind, _), _)| kind != "Secret").map(|(_, object)| object.to_string()).collect()
    }

    /// What both programs should agree on: all but the objects that only `linkerd install` makes, and the
    /// name of the program.
    fn comparable(&self) -> BTreeMap<(String, String), Value> {
        let mut objects: BTreeMap<(String, String), Value> = self.0.iter().cloned().collect();
        objects.retain(|(kind, name), _| kind != "Namespace" && name != "linkerd-config-overrides");
        for ((_, name), object) in &mut objects {
            if name == "linkerd-config" && object["kind"] == "ConfigMap" {
                object["data"]["values"] = self.config();
            }
            for path in ["/metadata/annotations", "/spec/template/metadata/annotations"] {
                if let Some(Value::Object(annotations)) = object.pointer_mut(path) {
                    annotations.remove("linkerd.io/created-by");
                }
            }
        }
        objects
    }

    #[track_caller]
    pub fn assert_same(&self, helms: &Self, case: &str) {
        let (ours, helms) = (self.comparable(), helms.comparable());
        let names = |objects: &BTreeMap<(String, String), Value>| objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&ours), names(&helms), "{case}");
        for (key, object) in &ours {
            let differences = differences(object, &helms[key], String::new());
            assert!(differences.is_empty(), "{case}: {key:?}, ours and helm's:\n{}", differences.join("\n"));
        }
    }
}

/// Where two values differ.
fn differences(ours: &Value, helms: &Value, place: String) -> Vec<String> {
    match (ours, helms) {
        (Value::Object(ours), Value::Object(helms)) => {
            let keys: std::collections::BTreeSet<&String> = ours.keys().chain(helms.keys()).collect();
            let of = |map: &serde_json::Map<String, Value>, key: &str| map.get(key).cloned();
            let differ = keys.into_iter().flat_map(|key| match (of(ours, key), of(helms, key)) {
                (Some(ours), Some(helms)) => differences(&ours, &helms, format!("{place}/{key}")),
                (ours, helms) => vec![format!("{place}/{key}: {ours:?} {helms:?}")],
            });
            differ.collect()
        }
        (Value::Array(ours), Value::Array(helms)) if ours.len() == helms.len() => {
            let pairs = ours.iter().zip(helms).enumerate();
            pairs.flat_map(|(i, (ours, helms))| differences(ours, helms, format!("{place}/{i}"))).collect()
        }
        _ if ours == helms => Vec::new(),
        _ => vec![format!("{place}: {ours} {helms}")],
    }
}

/// An issuer and trust anchors, in files.
pub struct Credentials {
    folder: tempfile::TempDir,
    values: String,
}

impl Credentials {
    pub fn make() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let now = jiff::Timestamp::now();
        let made = linkerd_identity::generate::Credentials::generate("linkerd", "cluster.local", now).expect("keys");
        let values = json!({
            "identityTrustAnchorsPEM": made.trust_anchor,
            "identity": { "issuer": { "tls": { "crtPEM": made.issuer, "keyPEM": made.issuer_key } } },
        });
        let path = folder.path().join("credentials.yaml");
        std::fs::write(&path, values.to_string()).expect("a file");
        std::fs::write(folder.path().join("anchors.pem"), made.trust_anchor).expect("a file");
        Self { folder, values: path.display().to_string() }
    }

    /// What gives them to both programs: a file of values, over which `--set` wins.
    pub fn flags(&self) -> Vec<&str> {
        vec!["--values", &self.values]
    }

    /// The file with the trust anchors.
    pub fn anchors(&self) -> String {
        self.folder.path().join("anchors.pem").display().to_string()
    }

    /// Writes a further file, and returns its path.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path.display().to_string()
    }
}

fn install(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linkerd"));
    command.env_clear().args(["install", "--ignore-cluster"]).args(arguments);
    command.output().expect("the program runs")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

#[track_caller]
fn succeeded(arguments: &[&str]) -> (String, String) {
    let output = install(arguments);
    let said = text(output.stderr);
    assert!(output.status.success(), "install {arguments:?}: {said}");
    (text(output.stdout), said)
}

/// What `linkerd install` renders.
#[track_caller]
pub fn linkerd(arguments: &[&str]) -> Objects {
    Objects::read(&succeeded(arguments).0)
}

/// What `linkerd install` says beside its result.
#[track_caller]
pub fn linkerd_says(arguments: &[&str]) -> String {
    succeeded(arguments).1
}

/// What `linkerd install` says when it refuses.
#[track_caller]
pub fn linkerd_refuses(arguments: &[&str]) -> String {
    let output = install(arguments);
    assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()), "install {arguments:?}");
    text(output.stderr)
}

/// What `helm template` renders.
#[track_caller]
pub fn helm(chart: &str, arguments: &[&str]) -> Objects {
    Objects::read(&linkerd_tests::helm::template(chart, arguments).unwrap_or_else(|error| panic!("{error:#}")))
}

/// What `helm template` says when it refuses.
#[track_caller]
pub fn helm_refuses(chart: &str, arguments: &[&str]) -> String {
    let refused = linkerd_tests::helm::template(chart, arguments).err();
    format!("{:#}", refused.unwrap_or_else(|| panic!("helm takes {arguments:?}")))
}
