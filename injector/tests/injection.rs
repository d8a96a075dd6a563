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
    error::Error,
    fs,
    path::{Path, PathBuf},
};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn read(folder: &Path, file: &str) -> Option<String> {
    fs::read_to_string(folder.join(file)).ok()
}

fn injected(folder: &Path) -> Result<String, Box<dyn Error>> {
    let values = Values::from_yaml(&read(folder, "values.yaml").unwrap_or_default())?;
    let pem = fs::read_to_string(fixtures().join("trust-anchors.pem"))?;
    let config = Config::new(values, "linkerd", TrustAnchors::parse(&pem)?)?;
    let annotations = read(folder, "namespace.yaml").unwrap_or_else(|| "linkerd.io/inject: enabled".into());
    let annotations: BTreeMap<String, String> = serde_saphyr::from_str(&annotations)?;
    let namespace = Namespace { name: "emojivoto".into(), annotations };
    let owner = Owner { kind: "deployment".into(), name: "web".into() };
    let mut pod: Value = serde_saphyr::from_str(&fs::read_to_string(folder.join("pod.yaml"))?)?;
    let mutation = mutate(&config, &namespace, &owner, "Pod", &pod)?;
    let Action::Inject(patch) = mutation.action else { return Err(format!("{:?}", mutation.action).into()) };
    patch.apply(&mut pod)?;
    let notes: String = mutation.warnings.iter().map(|warning| format!("# {warning}\n")).collect();
    let text = format!("{notes}{}", to_yaml(&pod));
    // The version changes with every release, and the certificate is in the folder above.
    Ok(text.replace(linkerd_injector::VERSION, "VERSION").replace(&indented(pem.trim()), "        PEM"))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n")
}

#[test]
fn pods_come_out_as_committed() -> Result<(), Box<dyn Error>> {
    let entries = fs::read_dir(fixtures())?.collect::<Result<Vec<_>, _>>()?;
    let mut folders: Vec<_> = entries.iter().map(fs::DirEntry::path).filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(!folders.is_empty());
    for folder in folders {
        let injected = injected(&folder)?;
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("injected", injected));
    }
    Ok(())
}
