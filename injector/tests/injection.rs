//! Whole pods, before and after: each folder of `fixtures` holds a pod, and optionally the annotations
//! of its namespace, install values and its owner. What comes out is committed beside them.

use linkerd_injector::{
    core::{
        config::{Config, Namespace},
        inject::{Action, mutate},
        owner::Owner,
        trust::TrustAnchors,
        values::Values,
    },
    manifest::document::to_yaml,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn read(folder: &Path, file: &str) -> Option<String> {
    fs::read_to_string(folder.join(file)).ok()
}

fn injected(folder: &Path) -> String {
    let values = Values::from_yaml(&read(folder, "values.yaml").unwrap_or_default()).unwrap();
    let pem = fs::read_to_string(fixtures().join("trust-anchors.pem")).unwrap();
    let config = Config::new(values, "linkerd", TrustAnchors::parse(&pem).unwrap()).unwrap();
    let annotations: BTreeMap<String, String> =
        serde_saphyr::from_str(&read(folder, "namespace.yaml").unwrap_or_else(|| "linkerd.io/inject: enabled".into()))
            .unwrap();
    let namespace = Namespace { name: "emojivoto".into(), annotations };
    let owner = Owner { kind: "deployment".into(), name: "web".into() };
    let mut pod: Value = serde_saphyr::from_str(&read(folder, "pod.yaml").unwrap()).unwrap();
    let mutation = mutate(&config, &namespace, &owner, "Pod", &pod).unwrap();
    let Action::Inject(patch) = mutation.action else { panic!("{:?}", mutation.action) };
    patch.apply(&mut pod).unwrap();
    let notes: String = mutation.warnings.iter().map(|warning| format!("# {warning}\n")).collect();
    let text = format!("{notes}{}", to_yaml(&pod));
    // The version changes with every release, and the certificate is in the folder above.
    text.replace(linkerd_injector::VERSION, "VERSION").replace(&indented(pem.trim()), "        PEM")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

#[test]
fn pods_come_out_as_committed() {
    let mut folders: Vec<_> =
        fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(!folders.is_empty());
    for folder in folders {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("injected", injected(&folder)));
    }
}
