//! `linkerd check` against a real API server.

#[path = "check/data_plane.rs"]
mod data_plane;
#[path = "check/extensions.rs"]
mod extensions;
#[path = "check/installed.rs"]
mod installed;
#[path = "check/webhooks.rs"]
mod webhooks;

use anyhow::{Result, ensure};
use installed::Installed;
use linkerd_tests::apiserver::ApiServer;
use serde_json::Value;
use std::{ffi::OsStr, path::Path};
use tokio::process::Command;

/// What a command did.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs the program, while the test's own servers answer.
async fn linkerd(kubeconfig: Option<&Path>, arguments: &[&str]) -> Result<Ran> {
    linkerd_with_path(kubeconfig, arguments, OsStr::new("")).await
}

async fn linkerd_with_path(kubeconfig: Option<&Path>, arguments: &[&str], path: &OsStr) -> Result<Ran> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linkerd"));
    command.env_clear().env("PATH", path);
    if let Some(kubeconfig) = kubeconfig {
        command.arg("--kubeconfig").arg(kubeconfig);
    }
    let output = command.args(arguments).output().await?;
    let text = |bytes| String::from_utf8(bytes);
    Ok(Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout)?, stderr: text(output.stderr)? })
}

impl Ran {
    /// The report of a run without failures, which has nothing else to say.
    #[track_caller]
    fn passed(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{}", self.stdout);
        self.stdout
    }

    /// The report of a run with failures, which has nothing else to say.
    #[track_caller]
    fn failed(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (1, ""), "{}", self.stdout);
        self.stdout
    }
}

#[tokio::test]
async fn a_cluster_without_control_plane_fails_with_what_to_do() -> Result<()> {
    let server = ApiServer::shared().await?;
    let config = Some(server.kubeconfig());
    insta::assert_snapshot!(linkerd(config, &["check", "--wait=0"]).await?.failed(), @r"
    kubernetes-api
    --------------
    √ can initialize the client
    √ can query the Kubernetes API

    kubernetes-version
    ------------------
    √ is running the minimum Kubernetes API version

    linkerd-existence
    -----------------
    × 'linkerd-config' config map exists
        there is no ConfigMap linkerd-config in namespace linkerd; install with `linkerd install | kubectl apply -f -`, or name the namespace of the control plane with -L
        see https://linkerd.io/2/checks/#l5d-existence-linkerd-config for hints

    Status check results are ×
    ");
    let report: Value = serde_json::from_str(&linkerd(config, &["check", "--wait=0", "-o", "json"]).await?.failed())?;
    assert_eq!(report["success"], false);
    let last = &report["categories"][2]["checks"][0];
    assert_eq!(
        (&last["result"], &last["hint"]),
        (&"error".into(), &"https://linkerd.io/2/checks/#l5d-existence-linkerd-config".into())
    );
    Ok(())
}

#[tokio::test]
async fn a_cluster_without_control_plane_can_get_one() -> Result<()> {
    let server = ApiServer::shared().await?;
    let config = Some(server.kubeconfig());
    let report = linkerd(config, &["check", "--pre"]).await?.passed();
    for check in
        ["control plane namespace does not already exist", "can create non-namespaced resources", "can create Roles"]
    {
        assert!(report.contains(&format!("\n\u{221a} {check}\n")), "{report}");
    }
    let short = linkerd(config, &["check", "--pre", "-o", "short"]).await?.passed();
    assert_eq!(short, "Status check results are \u{221a}\n");
    Ok(())
}

// Acceptance case 57 of installation.
#[tokio::test]
async fn the_cni_plugin_must_be_there_where_it_will_be_used() -> Result<()> {
    let server = ApiServer::shared().await?;
    let check = ["check", "--pre", "--linkerd-cni-enabled", "--expected-version=9.9.9", "-o=short"];
    let report = linkerd(Some(server.kubeconfig()), &check).await?.failed();
    insta::assert_snapshot!(report, @r"
    linkerd-cni-plugin
    ------------------
    × cni plugin ConfigMap exists
        there is no ConfigMap linkerd-cni-config in namespace linkerd-cni; install the CNI plug-in, or name its namespace with --cni-namespace
        see https://linkerd.io/2/checks/#cni-plugin-cm-exists for hints

    Status check results are ×
    ");
    Ok(())
}

#[tokio::test]
async fn definitions_are_missing_until_they_are_installed() -> Result<()> {
    let server = ApiServer::start().await?;
    let config = Some(server.kubeconfig());
    let check = ["check", "--crds", "--wait=0", "-o=short"];
    let report = linkerd(config, &check).await?.failed();
    assert!(report.contains("\n\u{d7} control plane CustomResourceDefinitions exist\n"), "{report}");
    assert!(
        report.contains("serviceprofiles.linkerd.io v1alpha2; install them with `linkerd install --crds"),
        "{report}"
    );
    let definitions = linkerd(None, &["install", "--crds", "--ignore-cluster"]).await?.stdout;
    server.cluster().await?.install_crds(&definitions).await?;
    linkerd(config, &check).await?.passed();
    Ok(())
}

#[tokio::test]
async fn somebody_who_may_not_install_is_told_what_they_may_not_do() -> Result<()> {
    let server = ApiServer::shared().await?;
    let cluster = server.cluster().await?;
    let namespace = cluster.unique_namespace("powerless").await?;
    let token = cluster.token(&namespace, "default", &[]).await?;
    let config = server.kubeconfig_for("powerless", &token)?;
    let report = linkerd(Some(&config), &["check", "--pre"]).await?.failed();
    for refusal in [
        "    cannot create ClusterRole/linkerd-linkerd-identity: ",
        "    not authorized to create deployments in namespace linkerd",
        "    not authorized to get secrets in namespace linkerd",
    ] {
        assert!(report.contains(refusal), "{refusal}: {report}");
    }
    Ok(())
}

/// Asserts that a report has every check of the control plane.
#[track_caller]
fn assert_everything_was_checked(report: &str) {
    insta::assert_snapshot!(report, @r"
    kubernetes-api
    --------------
    √ can initialize the client
    √ can query the Kubernetes API

    kubernetes-version
    ------------------
    √ is running the minimum Kubernetes API version

    linkerd-existence
    -----------------
    √ 'linkerd-config' config map exists
    √ control plane replica sets are ready
    √ no unschedulable pods
    √ control plane pods are ready
    √ cluster networks contains all node podCIDRs
    √ cluster networks contains all pods
    √ cluster networks contains all services

    linkerd-config
    --------------
    √ control plane Namespace exists
    √ control plane ClusterRoles exist
    √ control plane ClusterRoleBindings exist
    √ control plane Roles exist
    √ control plane RoleBindings exist
    √ control plane ServiceAccounts exist
    √ control plane CustomResourceDefinitions exist
    √ control plane MutatingWebhookConfigurations exist
    √ control plane ValidatingWebhookConfigurations exist
    √ proxy-init container runs as root user if docker container runtime is used

    linkerd-identity
    ----------------
    √ certificate config is valid
    √ trust anchors are using supported crypto algorithm
    √ trust anchors are within their validity period
    √ trust anchors are valid for at least 60 days
    √ issuer cert is using supported crypto algorithm
    √ issuer cert is within its validity period
    √ issuer cert is valid for at least 60 days
    √ issuer cert is issued by the trust anchor

    linkerd-webhooks-and-apisvc-tls
    -------------------------------
    √ proxy-injector webhook has valid cert
    √ proxy-injector cert is renewed in time
    √ sp-validator webhook has valid cert
    √ sp-validator cert is renewed in time
    √ proxy-injector webhook answers
    √ sp-validator webhook answers

    control-plane-version
    ---------------------
    √ can retrieve the control plane version
    √ control plane and cli versions match

    linkerd-extension-checks
    ------------------------
    √ namespace configuration for extensions

    Status check results are √
    ");
}

// Acceptance cases 56 of installation, 40 and 80 of the command line.
#[tokio::test]
async fn an_installed_control_plane_passes_every_check_until_its_webhooks_are_gone() -> Result<()> {
    let mut installed = Installed::start().await?;
    let config = installed.server.kubeconfig().to_owned();
    let config = Some(config.as_path());
    // A webhook configuration is in force a moment after it was made.
    let report = linkerd(config, &["check", "--wait=60s"]).await?.passed();
    assert_everything_was_checked(&report);
    assert_eq!(linkerd(config, &["check", "-o=short"]).await?.passed(), "Status check results are \u{221a}\n");
    let json: Value = serde_json::from_str(&linkerd(config, &["check", "-o=json"]).await?.passed())?;
    assert_eq!(json["success"], true);

    let other = linkerd(config, &["check", "--pre", "-L=other", "-o=short"]).await?.failed();
    let conflicts: Vec<&str> = other.lines().filter_map(|line| line.strip_prefix("    cannot create ")).collect();
    assert_eq!(conflicts.len(), 2, "{other}");
    assert!(
        conflicts[0].starts_with("MutatingWebhookConfiguration/linkerd-proxy-injector-webhook-config: "),
        "{other}"
    );
    assert!(
        conflicts[1].starts_with("ValidatingWebhookConfiguration/linkerd-sp-validator-webhook-config: "),
        "{other}"
    );

    let old = linkerd(config, &["check", "--expected-version=9.9.9", "-o=short"]).await?.passed();
    assert!(old.contains("but the latest version is 9.9.9"), "{old}");

    // Their failures are ignored, so that only what they let through tells.
    installed.webhooks = None;
    let report = linkerd(config, &["check", "--wait=0", "-o=short"]).await?.failed();
    for name in ["proxy-injector", "sp-validator"] {
        assert!(report.contains(&format!("\u{d7} {name} webhook answers\n    the API server took ")), "{report}");
        assert!(report.contains(&format!("kubectl logs -n linkerd deploy/linkerd-{name}`")), "{report}");
    }
    Ok(())
}

#[tokio::test]
async fn each_failure_of_the_control_plane_is_found() -> Result<()> {
    let installed = Installed::start().await?;
    let config = Some(installed.server.kubeconfig());
    installed.set_status("linkerd-policy-0", installed::status(&[("policy", false)])).await?;
    let report = linkerd(config, &["check", "--wait=0", "-o=short"]).await?.failed();
    assert!(
        report.contains("    No pod for \"linkerd-policy\" is ready: pod linkerd-policy-0 container policy"),
        "{report}"
    );
    installed.set_status("linkerd-policy-0", installed::status(&[("policy", true)])).await?;

    let role =
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: linkerd-linkerd-identity}}";
    installed.cluster.delete("linkerd", role).await?;
    let report = linkerd(config, &["check", "--wait=0", "-o=short"]).await?.failed();
    assert!(report.contains("    missing ClusterRoles of this control plane: linkerd-linkerd-identity;"), "{report}");
    assert!(!report.contains("linkerd-identity\n--"), "nothing runs after a fatal failure: {report}");
    Ok(())
}

// Acceptance case 75 of the command line.
#[tokio::test]
async fn a_cluster_that_cannot_be_reached_is_told_of_and_the_report_ends() -> Result<()> {
    let mut server = ApiServer::start().await?;
    server.kill();
    let ran = linkerd(Some(server.kubeconfig()), &["check", "-o=short"]).await?;
    ensure!(
        ran.code == 1 && ran.stderr.starts_with("Failed to run extensions checks: cannot read Namespace: "),
        "{ran:?}"
    );
    ensure!(
        ran.stdout.contains("\n\u{d7} can query the Kubernetes API\n    cannot read the version of the server: "),
        "{ran:?}"
    );
    ensure!(ran.stdout.ends_with("\nStatus check results are \u{d7}\n"), "{ran:?}");
    Ok(())
}

// Acceptance case 42 of the command line.
#[tokio::test]
async fn options_that_contradict_each_other_are_refused_before_anything_is_asked() -> Result<()> {
    for (arguments, reason) in [
        (&["--pre", "--proxy"][..], "--pre and --proxy flags are mutually exclusive"),
        (&["--linkerd-cni-enabled"], "--linkerd-cni-enabled can only be used with --pre"),
        (&["-o", "yaml"], "Invalid output type 'yaml'. Supported output types are: json, table, short"),
    ] {
        let ran = linkerd(None, &[&["check"], arguments].concat()).await?;
        let first = format!("Error: Validation error when executing check command: {reason}\n");
        ensure!(ran.code == 1 && ran.stdout.is_empty() && ran.stderr.starts_with(&first), "{ran:?}");
    }
    Ok(())
}
