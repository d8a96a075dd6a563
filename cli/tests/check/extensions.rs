//! Extensions are checked too.

use super::linkerd_with_path;
use anyhow::Result;
use linkerd_tests::apiserver::ApiServer;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _};

fn script(folder: &tempfile::TempDir, name: &str, text: &str) -> Result<()> {
    let path = folder.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

// Acceptance cases 49 of installation, 38 and 39 of the command line.
#[tokio::test]
async fn extensions_report_beside_the_control_plane_in_one_report() -> Result<()> {
    let server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    for (name, extension) in [("smi", "smi"), ("linkerd-viz", "viz")] {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace",
                                "metadata": { "name": name, "labels": { "linkerd.io/extension": extension } } });
        cluster.apply_object("default", namespace).await?;
    }
    let folder = tempfile::tempdir()?;
    let report = json!({ "success": true, "categories": [{ "categoryName": "linkerd-smi", "checks": [
        { "description": "smi is well", "result": "success" },
    ] }] });
    script(&folder, "linkerd-smi", &format!("[ \"$1\" = check ] && echo '{report}'"))?;
    script(
        &folder,
        "linkerd-always",
        "if [ \"$1\" = check ]; then echo nonsense; else echo '{\"name\": \"linkerd-always\", \"checks\": \"always\"}'; fi",
    )?;
    script(&folder, "linkerd-unused", "exit 1")?;
    let check = ["check", "--wait=0", "-o=json"];
    let ran = linkerd_with_path(Some(server.kubeconfig()), &check, folder.path().as_os_str()).await?;
    let report: Value = serde_json::from_str(&ran.failed())?;
    let categories = report["categories"].as_array().expect("categories");
    let results = categories.iter().skip(3).map(|category| {
        let check = &category["checks"][0];
        format!(
            "{} {}",
            category["categoryName"].as_str().unwrap_or_default(),
            check["result"].as_str().unwrap_or_default()
        )
    });
    let results: Vec<String> = results.collect();
    assert_eq!(results, ["linkerd-always error", "linkerd-smi success", "linkerd-viz warning"], "{report:#}");
    let missing = &categories[5]["checks"][0];
    assert_eq!(missing["description"], "Linkerd extension command linkerd-viz exists");
    assert_eq!(missing["error"], "exec: \"linkerd-viz\": executable file not found in $PATH");

    let ran = linkerd_with_path(Some(server.kubeconfig()), &["check", "--pre"], folder.path().as_os_str()).await?;
    assert!(!ran.passed().contains("smi"), "extensions are not part of what comes before");
    Ok(())
}
